//! The reasons of a rejection as a reviewer looks for them: a short name, and the initials of its pinyin (拼音首字母).

use crate::{
    domain::photo_reason::{PhotoReason, ReasonGroup},
    http::pages::{messages::Language, page::Page},
};

/// Short name and its initials, in the order of the trade's list.
#[rustfmt::skip]
static NAMES: [(PhotoReason, &str, &str); PhotoReason::ALL.len()] = {
    use PhotoReason::{
        AccessoriesWorn, AspectRatioInvalid, BackgroundNotWhite, ClothingRevealing, ClothingTooLight, ClothingUntidy,
        CompositePhoto, EarphonesWorn, EarsNotVisible, ExaggeratedPose, ExpressionNotNatural, EyesClosed, FaceHalfLit,
        FaceRetouched, FaceTooBright, FaceTooDark, FileUnsupported, GlassesFrameCoversEyes, GlassesGlare,
        HairCoversFace, HairNotVisible, HairstyleMessy, HandGesture, HatWorn, HeadTiltedDown, HeadTiltedUp,
        HeadTooSmall, HeavyMakeup, ImageBlurred, ImproperContent, LanyardWorn, LightingUneven, MaskWorn, MultipleFaces,
        NotFacingCamera, NotRecognisable, PersonMismatch, PhotoOlderThan6Months, PostureNotUpright, ResolutionTooLow,
        ScarfWorn, ShouldersNotLevel, SubjectOffCentre, SunglassesWorn, UniformWorn, UnlawfulContent,
    };
    [
        (LightingUneven, "光线不均匀", "gxbjy"),
        (BackgroundNotWhite, "背景不是白色", "bjbsbs"),
        (PostureNotUpright, "坐姿不端正", "zzbdz"),
        (ShouldersNotLevel, "双肩不水平", "sjbsp"),
        (ExpressionNotNatural, "表情不自然", "bqbzr"),
        (NotFacingCamera, "未正视镜头", "wzsjt"),
        (HeadTiltedUp, "抬头过高", "ttgg"),
        (HeadTiltedDown, "低头过低", "dtgd"),
        (HatWorn, "戴帽子", "dmz"),
        (HairCoversFace, "头发遮脸", "tfzl"),
        (EarsNotVisible, "未露耳朵", "wled"),
        (HairNotVisible, "未露头发", "wltf"),
        (HairstyleMessy, "发型凌乱", "fxll"),
        (HeavyMakeup, "浓妆", "nz"),
        (ClothingTooLight, "衣服颜色过浅", "yfysgq"),
        (UniformWorn, "穿制式服装", "czsfz"),
        (MaskWorn, "戴口罩", "dkz"),
        (SunglassesWorn, "戴墨镜", "dmj"),
        (ScarfWorn, "戴围巾", "dwj"),
        (AccessoriesWorn, "戴饰品", "dsp"),
        (LanyardWorn, "工作牌挂绳", "gzpgs"),
        (EarphonesWorn, "戴耳机", "dej"),
        (ClothingUntidy, "衣衫不整", "ysbz"),
        (ClothingRevealing, "着装暴露", "zzbl"),
        (ExaggeratedPose, "夸张姿势", "kzzs"),
        (HandGesture, "打手势", "dss"),
        (EyesClosed, "闭眼或眨眼", "byhzy"),
        (ImproperContent, "违背公序良俗", "wbgxls"),
        (UnlawfulContent, "违反法律法规", "wfflfg"),
        (PhotoOlderThan6Months, "超过六个月", "cglgy"),
        (FaceRetouched, "过度美颜修图", "gdmyxt"),
        (CompositePhoto, "合成照片", "hczp"),
        (SubjectOffCentre, "人像不居中", "rxbjz"),
        (HeadTooSmall, "头部偏小", "tbpx"),
        (FaceTooDark, "脸部过暗", "lbga"),
        (FaceTooBright, "脸部过亮", "lbgl"),
        (FaceHalfLit, "脸部半明半暗", "lbbmba"),
        (GlassesGlare, "眼镜反光", "yjfg"),
        (GlassesFrameCoversEyes, "镜框遮眼", "jkzy"),
        (NotRecognisable, "无法识别", "wfsb"),
        (PersonMismatch, "与本人差距大", "ybrcjd"),
        (MultipleFaces, "多张人脸", "dzrl"),
        (ImageBlurred, "照片模糊", "zpmh"),
        (ResolutionTooLow, "分辨率过低", "fblgd"),
        (AspectRatioInvalid, "宽高比不符", "kgbbf"),
        (FileUnsupported, "格式或大小不符", "gshdxbf"),
    ]
};

/// A reason in the list.
pub(super) struct Choice {
    /// Its code.
    pub(super) code: PhotoReason,
    /// `P01`.
    pub(super) number: &'static str,
    /// Its short name.
    pub(super) label: &'static str,
    /// What the applicant reads.
    pub(super) wording: &'static str,
    /// Everything that it is found by, in lower case.
    pub(super) search: String,
    /// Whether a second person has to look.
    pub(super) is_grave: bool,
}

/// The reasons under one heading.
pub(super) struct Group {
    /// The heading.
    pub(super) label: String,
    /// Its reasons.
    pub(super) choices: Vec<Choice>,
}

/// Every reason, grouped.
pub(super) fn groups(page: &Page) -> Vec<Group> {
    let of = |group: ReasonGroup| Group {
        label: page.t_of("reason_group.", group),
        choices: NAMES.iter().filter(|(code, ..)| code.group() == group).map(|row| choice(page, row)).collect(),
    };
    ReasonGroup::ALL.iter().map(|group| of(*group)).collect()
}

fn choice(page: &Page, (code, name, initials): &(PhotoReason, &'static str, &'static str)) -> Choice {
    let (number, wording) = (code.no(), code.applicant_zh());
    Choice {
        code: *code,
        number,
        label: label(page, *code),
        wording,
        search: format!("{initials} {name} {wording} {number} {} {code}", code.en()).to_lowercase(),
        is_grave: code.needs_second_look(),
    }
}

/// The short name of a reason.
pub(super) fn label(page: &Page, code: PhotoReason) -> &'static str {
    match page.language {
        Language::English => code.en(),
        Language::Chinese => NAMES.get(code as usize).map_or(code.applicant_zh(), |(_, name, _)| name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_name_and_initials() {
        for (place, (code, name, initials)) in NAMES.iter().enumerate() {
            assert_eq!(*code as usize, place, "the order of the list");
            assert_eq!(name.chars().count(), initials.len(), "{name}");
            assert!(initials.bytes().all(|letter| letter.is_ascii_lowercase()), "{initials}");
        }
    }

    #[test]
    fn reasons_are_found_in_chinese_by_initials_and_in_english() {
        let page = Page::of(&axum::http::HeaderMap::new(), "/".to_owned(), None);
        let found = |text: &str| -> Vec<PhotoReason> {
            let all = groups(&page).into_iter().flat_map(|group| group.choices);
            all.filter(|choice| choice.search.contains(text)).map(|choice| choice.code).collect()
        };
        assert_eq!(found("bjbsbs"), [PhotoReason::BackgroundNotWhite]);
        assert_eq!(found("帽子"), [PhotoReason::HatWorn]);
        assert_eq!(found("p29"), [PhotoReason::UnlawfulContent]);
        assert_eq!(found("sunglasses"), [PhotoReason::SunglassesWorn]);
        assert_eq!(groups(&page).iter().map(|group| group.choices.len()).sum::<usize>(), 46);
    }
}
