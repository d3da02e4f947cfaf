//! Why a photo is refused (审核不通过原因): the 46 reasons of the trade, for the automatic checks, the
//! reviewer's console and the applicant's message alike. This table is the only copy.

use super::wire::wire_enum;

wire_enum! {
    /// A reason to refuse a photo, named by its code.
    pub enum PhotoReason as "photo reason" {
        /// P01: uneven light on the scene.
        LightingUneven = "lighting_uneven",
        /// P02: background is not white.
        BackgroundNotWhite = "background_not_white",
        /// P03: body not upright.
        PostureNotUpright = "posture_not_upright",
        /// P04: shoulders not level.
        ShouldersNotLevel = "shoulders_not_level",
        /// P05: expression not natural.
        ExpressionNotNatural = "expression_not_natural",
        /// P06: not facing the camera (yaw).
        NotFacingCamera = "not_facing_camera",
        /// P07: head raised too high.
        HeadTiltedUp = "head_tilted_up",
        /// P08: head lowered too much.
        HeadTiltedDown = "head_tilted_down",
        /// P09: hat / not bareheaded.
        HatWorn = "hat_worn",
        /// P10: hair covers the face.
        HairCoversFace = "hair_covers_face",
        /// P11: ears covered or not visible.
        EarsNotVisible = "ears_not_visible",
        /// P12: hair / hairline not visible.
        HairNotVisible = "hair_not_visible",
        /// P13: hair messy or puffed.
        HairstyleMessy = "hairstyle_messy",
        /// P14: heavy make-up.
        HeavyMakeup = "heavy_makeup",
        /// P15: clothes too light.
        ClothingTooLight = "clothing_too_light",
        /// P16: wearing a uniform.
        UniformWorn = "uniform_worn",
        /// P17: wearing a mask.
        MaskWorn = "mask_worn",
        /// P18: wearing sunglasses.
        SunglassesWorn = "sunglasses_worn",
        /// P19: wearing a scarf.
        ScarfWorn = "scarf_worn",
        /// P20: visible accessories / jewellery.
        AccessoriesWorn = "accessories_worn",
        /// P21: badge lanyard visible.
        LanyardWorn = "lanyard_worn",
        /// P22: bluetooth earphones visible.
        EarphonesWorn = "earphones_worn",
        /// P23: clothing untidy.
        ClothingUntidy = "clothing_untidy",
        /// P24: clothing too revealing.
        ClothingRevealing = "clothing_revealing",
        /// P25: exaggerated pose.
        ExaggeratedPose = "exaggerated_pose",
        /// P26: hand gesture in the photo.
        HandGesture = "hand_gesture",
        /// P27: eyes closed / blinking.
        EyesClosed = "eyes_closed",
        /// P28: marks/text against public morals.
        ImproperContent = "improper_content",
        /// P29: content against law or policy.
        UnlawfulContent = "unlawful_content",
        /// P30: photo older than six months.
        PhotoOlderThan6Months = "photo_older_than_6_months",
        /// P31: facial features retouched / beautified.
        FaceRetouched = "face_retouched",
        /// P32: composite / synthesised photo.
        CompositePhoto = "composite_photo",
        /// P33: subject off centre.
        SubjectOffCentre = "subject_off_centre",
        /// P34: head too small.
        HeadTooSmall = "head_too_small",
        /// P35: face under-exposed.
        FaceTooDark = "face_too_dark",
        /// P36: face over-exposed.
        FaceTooBright = "face_too_bright",
        /// P37: left/right of the face lit differently.
        FaceHalfLit = "face_half_lit",
        /// P38: glare on glasses.
        GlassesGlare = "glasses_glare",
        /// P39: frame covers the eyes.
        GlassesFrameCoversEyes = "glasses_frame_covers_eyes",
        /// P40: system cannot recognise the face.
        NotRecognisable = "not_recognisable",
        /// P41: photo does not match the verified person.
        PersonMismatch = "person_mismatch",
        /// P42: more than one face.
        MultipleFaces = "multiple_faces",
        /// P43: blurred.
        ImageBlurred = "image_blurred",
        /// P44: resolution too low.
        ResolutionTooLow = "resolution_too_low",
        /// P45: aspect ratio out of range.
        AspectRatioInvalid = "aspect_ratio_invalid",
        /// P46: format / size not accepted.
        FileUnsupported = "file_unsupported",
    }
}

wire_enum! {
    /// Under which heading a reviewer finds a reason.
    pub enum ReasonGroup as "reason group" {
        /// 背景与光线.
        Scene = "scene",
        /// 姿态与位置.
        Pose = "pose",
        /// 面部与头发.
        Face = "face",
        /// 着装与饰物.
        Clothing = "clothing",
        /// 内容与真实性.
        Content = "content",
        /// 技术质量.
        Technical = "technical",
    }
}

impl ReasonGroup {
    /// The heading in Chinese, for the console.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Scene => "背景与光线",
            Self::Pose => "姿态与位置",
            Self::Face => "面部与头发",
            Self::Clothing => "着装与饰物",
            Self::Content => "内容与真实性",
            Self::Technical => "技术质量",
        }
    }
}

wire_enum! {
    /// How far a machine may go with a reason.
    pub enum AutoClass as "automatic class" {
        /// A check may refuse the photo where its thresholds are calibrated.
        Reject = "reject",
        /// A check may only point the reviewer at it.
        Flag = "flag",
        /// Only a person can tell.
        Human = "human",
    }
}

/// What is known of one reason.
struct Row {
    no: &'static str,
    applicant_zh: &'static str,
    en: &'static str,
    group: ReasonGroup,
    auto: AutoClass,
}

const fn row(
    no: &'static str,
    group: ReasonGroup,
    auto: AutoClass,
    applicant_zh: &'static str,
    en: &'static str,
) -> Row {
    Row { no, applicant_zh, en, group, auto }
}

/// One row per reason, in the order of the enum.
#[rustfmt::skip]
static TABLE: [Row; PhotoReason::ALL.len()] = {
    use AutoClass::{Flag, Human, Reject};
    use ReasonGroup::{Clothing, Content, Face, Pose, Scene, Technical};
    [
        row("P01", Scene, Flag, "拍摄环境光线不均匀，请在均匀光线下重新拍摄", "uneven light on the scene"),
        row("P02", Scene, Reject, "照片背景不是白色，请使用白底证件照", "background is not white"),
        row("P03", Pose, Human, "坐姿不端正，请端正坐姿后重新拍摄", "body not upright"),
        row("P04", Pose, Flag, "双肩不水平，请保持双肩水平", "shoulders not level"),
        row("P05", Face, Human, "表情不自然，请保持表情自然", "expression not natural"),
        row("P06", Pose, Flag, "未正视镜头，请正视镜头", "not facing the camera (yaw)"),
        row("P07", Pose, Flag, "头抬得过高，请平视镜头", "head raised too high"),
        row("P08", Pose, Flag, "头压得过低，请平视镜头", "head lowered too much"),
        row("P09", Clothing, Human, "请摘下帽子，提交免冠照片", "hat / not bareheaded"),
        row("P10", Face, Human, "头发遮盖面部，请整理后重新拍摄", "hair covers the face"),
        row("P11", Face, Human, "未露出耳朵，请露出双耳", "ears covered or not visible"),
        row("P12", Face, Human, "未露出头发，请完整露出头发轮廓", "hair / hairline not visible"),
        row("P13", Face, Human, "发型凌乱、蓬松，请整理后重新拍摄", "hair messy or puffed"),
        row("P14", Face, Human, "妆容过浓，请勿化浓妆", "heavy make-up"),
        row("P15", Clothing, Flag, "衣服颜色过浅，请穿深色衣服", "clothes too light"),
        row("P16", Clothing, Human, "请勿穿制式服装", "wearing a uniform"),
        row("P17", Clothing, Human, "请摘下口罩", "wearing a mask"),
        row("P18", Clothing, Human, "请摘下墨镜", "wearing sunglasses"),
        row("P19", Clothing, Human, "请摘下围巾", "wearing a scarf"),
        row("P20", Clothing, Human, "请勿佩戴饰品", "visible accessories / jewellery"),
        row("P21", Clothing, Human, "请取下工作牌挂绳", "badge lanyard visible"),
        row("P22", Clothing, Human, "请取下蓝牙耳机", "bluetooth earphones visible"),
        row("P23", Clothing, Human, "衣衫不整，请整理着装", "clothing untidy"),
        row("P24", Clothing, Human, "着装过于暴露，请更换着装", "clothing too revealing"),
        row("P25", Pose, Human, "请勿作夸张姿势", "exaggerated pose"),
        row("P26", Pose, Human, "请勿打手势", "hand gesture in the photo"),
        row("P27", Face, Flag, "眨眼或闭眼，请睁眼重新拍摄", "eyes closed / blinking"),
        row("P28", Content, Human, "照片含有违背社会公序良俗的标识、数字、字母或文字等内容", "marks/text against public morals"),
        row("P29", Content, Human, "照片含有违反法律、法规及政策规定的内容", "content against law or policy"),
        row("P30", Technical, Reject, "请上传近6个月内的证件照片", "photo older than six months"),
        row("P31", Content, Flag, "照片美颜或修图过度，不得对人像特征进行技术处理", "facial features retouched / beautified"),
        row("P32", Content, Human, "不得使用合成照片", "composite / synthesised photo"),
        row("P33", Pose, Reject, "人像位置不正，请将人像居中", "subject off centre"),
        row("P34", Pose, Reject, "头部偏小，请按要求调整人像大小", "head too small"),
        row("P35", Scene, Reject, "脸部光线过暗", "face under-exposed"),
        row("P36", Scene, Reject, "脸部光线过亮", "face over-exposed"),
        row("P37", Scene, Reject, "脸部光线半明半暗", "left/right of the face lit differently"),
        row("P38", Face, Flag, "眼镜反光，请重新拍摄", "glare on glasses"),
        row("P39", Face, Human, "镜框遮挡眼睛，请调整后重新拍摄", "frame covers the eyes"),
        row("P40", Technical, Reject, "照片无法识别，请提交未过度修图的白底证件照", "system cannot recognise the face"),
        row("P41", Content, Flag, "照片与本人实人认证照片差距过大", "photo does not match the verified person"),
        row("P42", Content, Reject, "照片中有多张人脸", "more than one face"),
        row("P43", Technical, Reject, "照片模糊，请提交清晰照片", "blurred"),
        row("P44", Technical, Reject, "照片分辨率过低", "resolution too low"),
        row("P45", Technical, Reject, "照片宽高比不符合要求", "aspect ratio out of range"),
        row("P46", Technical, Reject, "照片格式或文件大小不符合要求", "format / size not accepted"),
    ]
};

impl PhotoReason {
    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// The number in the trade's list, `P01` to `P46`.
    pub fn no(self) -> &'static str {
        self.row().no
    }

    /// What the applicant is told, in Chinese.
    pub fn applicant_zh(self) -> &'static str {
        self.row().applicant_zh
    }

    /// The reason in English.
    pub fn en(self) -> &'static str {
        self.row().en
    }

    /// The reviewer's heading.
    pub fn group(self) -> ReasonGroup {
        self.row().group
    }

    /// How far a machine may go.
    pub fn auto(self) -> AutoClass {
        self.row().auto
    }

    /// Whether a rejection for this reason needs a second person: unlawful or improper content has
    /// consequences for the applicant beyond the photo.
    pub const fn needs_second_look(self) -> bool {
        matches!(self, Self::ImproperContent | Self::UnlawfulContent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_follows_the_enum() {
        for (i, reason) in PhotoReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, i);
            assert_eq!(reason.no(), format!("P{:02}", i + 1));
            assert_eq!(reason.as_str().parse(), Ok(*reason));
            assert!(!reason.applicant_zh().is_empty() && !reason.en().is_empty(), "{reason}");
        }
        assert_eq!(PhotoReason::ALL.len(), 46);
    }

    #[test]
    fn machines_and_people_share_the_reasons_as_the_trade_divides_them() {
        let count = |class| PhotoReason::ALL.iter().filter(|r| r.auto() == class).count();
        assert_eq!((count(AutoClass::Reject), count(AutoClass::Flag), count(AutoClass::Human)), (13, 10, 23));
    }

    #[test]
    fn known_rows() {
        assert_eq!(PhotoReason::BackgroundNotWhite.no(), "P02");
        assert_eq!(PhotoReason::BackgroundNotWhite.applicant_zh(), "照片背景不是白色，请使用白底证件照");
        assert_eq!(PhotoReason::FileUnsupported.no(), "P46");
        assert_eq!(PhotoReason::FileUnsupported.group(), ReasonGroup::Technical);
        assert_eq!(PhotoReason::HatWorn.group(), ReasonGroup::Clothing);
        let second: Vec<_> = PhotoReason::ALL.iter().filter(|r| r.needs_second_look()).map(|r| r.no()).collect();
        assert_eq!(second, ["P28", "P29"]);
    }

    #[test]
    fn an_unknown_code_is_an_error() {
        assert!("too_handsome".parse::<PhotoReason>().is_err());
    }
}
