//! Where everything stands: the main page (主页) above, the second page (副页) below, 720 units wide, so that a phone
//! shows them without turning.

use chrono::NaiveDate;

use crate::domain::{
    calendar::CHINA_TIME,
    licence_status::DisplayMode,
    message::{PAPER_NEEDED_ZH, SCREENSHOT_INVALID_ZH},
    vehicle_class::VehicleClasses,
};

use super::{
    CardData, CardError,
    fonts::Fonts,
    ornament::{self, ABNORMAL, DEEP, INK, LABEL, Palette, RULE, VALID},
    portrait, qr,
    sheet::{Anchor, Area, Look, Sheet},
    text::clean,
};

/// The card's width in its own units.
pub(super) const WIDTH: f64 = 720.0;
const MARGIN: f64 = 24.0;
/// Left and right end of what is printed on a page.
const LEFT: f64 = 50.0;
const RIGHT: f64 = 670.0;
const PORTRAIT: Area = Area::new(494.0, 196.0, 176.0, 256.0);
/// A side of the QR code with its quiet zone.
const CODE: f64 = 270.0;

const TITLE: &str = "中华人民共和国机动车驾驶证";
const TITLE_EN: &str = "Driving Licence of the People's Republic of China";
/// What the document is called.
pub(super) const NAME: &str = "机动车驾驶证电子版";

/// The card as SVG.
///
/// # Errors
/// [`CardError`]: nothing is drawn rather than something wrong.
pub(super) fn card(fonts: &Fonts, data: &CardData) -> Result<String, CardError> {
    let palette = match data.status.display() {
        DisplayMode::Valid => VALID,
        DisplayMode::Abnormal => ABNORMAL,
        DisplayMode::Invalid | DisplayMode::Hidden => return Err(CardError::NotShown),
    };
    // The pages' lengths are known only when their texts are placed; their grounds are drawn before.
    let main_end = if data.address.is_some() { 762.0 } else { 646.0 };
    let second = main_end + 22.0;
    let notice = data.notice.as_deref().map(clean).filter(|notice| !notice.is_empty());
    let height = second + if notice.is_some() { 578.0 } else { 506.0 };
    let mut sheet = Sheet::new(fonts.ruler());
    ornament::definitions(&mut sheet);
    sheet.draw(format_args!("<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#f2f6f3\"/>"));
    main_page(&mut sheet, data, palette, main_end)?;
    second_page(
        &mut sheet,
        data,
        palette,
        Area::new(MARGIN, second, WIDTH - 2.0 * MARGIN, height - second - MARGIN),
        notice,
    )?;
    Ok(sheet.finish(WIDTH, height))
}

fn main_page(sheet: &mut Sheet<'_>, data: &CardData, palette: Palette, end: f64) -> Result<(), CardError> {
    let page = Area::new(MARGIN, MARGIN, WIDTH - 2.0 * MARGIN, end - MARGIN);
    ornament::page(sheet, "main", page, (250.0, 400.0));
    head(sheet, page, 100.0);
    ornament::badge(sheet, 84.0, 74.0, 36.0);
    sheet.text(134.0, 72.0, Anchor::Start, Look::bold(38.0, "#ffffff"), TITLE)?;
    sheet.text(135.0, 105.0, Anchor::Start, Look::plain(20.0, "#cfe9da"), TITLE_EN)?;
    status(sheet, data, palette)?;
    picture(sheet, data)?;

    let name = Area::new(LEFT, 192.0, 424.0, 86.0);
    field(sheet, name, "姓名", "Name", Look::bold(42.0, INK), &data.name)?;
    rule(sheet, 280.0, PORTRAIT.x - 20.0);
    field(sheet, Area::new(LEFT, 288.0, 130.0, 72.0), "性别", "Sex", Look::plain(30.0, INK), sex(data))?;
    let nationality = data.nationality.as_deref().unwrap_or_default();
    field(sheet, Area::new(202.0, 288.0, 272.0, 72.0), "国籍", "Nationality", Look::plain(30.0, INK), nationality)?;
    rule(sheet, 366.0, PORTRAIT.x - 20.0);
    let (birth, first) = (date(data.birth_date), date(data.first_issued_on));
    field(sheet, Area::new(LEFT, 374.0, 200.0, 72.0), "出生日期", "Birth", Look::plain(30.0, INK), &birth)?;
    field(sheet, Area::new(264.0, 374.0, 220.0, 72.0), "初次领证", "First Issue", Look::plain(30.0, INK), &first)?;
    let mut y = 460.0;
    rule(sheet, y, RIGHT);
    if let Some(address) = &data.address {
        let area = Area::new(LEFT, y + 10.0, RIGHT - LEFT, 108.0);
        field(sheet, area, "住址", "Address", Look::plain(28.0, INK), address)?;
        y += 116.0;
        rule(sheet, y, RIGHT);
    }
    field(sheet, Area::new(LEFT, y + 10.0, 210.0, 78.0), "准驾车型", "Class", Look::bold(38.0, DEEP), &data.classes)?;
    let valid = Area::new(280.0, y + 10.0, RIGHT - 280.0, 78.0);
    field(sheet, valid, "有效期限", "Valid Period", Look::plain(31.0, INK), &period(data))?;
    y += 92.0;
    rule(sheet, y, RIGHT);
    field(
        sheet,
        Area::new(LEFT, y + 10.0, 210.0, 72.0),
        "发证机关",
        "Authority",
        Look::plain(30.0, INK),
        &data.authority,
    )?;
    let number = Area::new(280.0, y + 10.0, RIGHT - 280.0, 72.0);
    field(sheet, number, "证号", "Licence No.", Look::plain(30.0, INK), &data.document_number)
}

fn second_page(
    sheet: &mut Sheet<'_>,
    data: &CardData,
    palette: Palette,
    page: Area,
    notice: Option<String>,
) -> Result<(), CardError> {
    ornament::page(sheet, "second", page, (210.0, page.y + 250.0));
    head(sheet, page, 60.0);
    sheet.text(LEFT, page.y + 41.0, Anchor::Start, Look::bold(28.0, "#ffffff"), "机动车驾驶证副页")?;
    sheet.text(RIGHT, page.y + 40.0, Anchor::End, Look::plain(19.0, "#cfe9da"), "Second Page")?;
    let (mut y, width) = (page.y + 74.0, RIGHT - CODE - LEFT - 24.0);
    field(sheet, Area::new(LEFT, y, width, 76.0), "姓名", "Name", Look::plain(30.0, INK), &data.name)?;
    y += 82.0;
    rule(sheet, y, LEFT + width);
    field(
        sheet,
        Area::new(LEFT, y + 8.0, width, 72.0),
        "档案编号",
        "File No.",
        Look::plain(30.0, INK),
        &data.file_number,
    )?;
    y += 86.0;
    rule(sheet, y, LEFT + width);
    let classes = Area::new(LEFT, y + 8.0, width, 138.0);
    field(sheet, classes, "准予驾驶", "May Drive", Look::plain(24.0, INK), &classes_in_words(&data.classes))?;
    code(sheet, data, palette, Area::new(RIGHT - CODE, page.y + 80.0, CODE, CODE))?;
    let mut y = page.y + 392.0;
    if let Some(notice) = notice {
        let (width, height) = (RIGHT - LEFT, 60.0);
        let accent = palette.accent;
        sheet.draw(format_args!(
            "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"{}\"/><rect x=\"{LEFT}\" y=\"{y}\" width=\"8\" height=\"{height}\" rx=\"4\" fill=\"{accent}\"/>",
            palette.tint
        ));
        let area = Area::new(LEFT + 24.0, y + 14.0, width - 44.0, height - 20.0);
        sheet.block(area, Look::bold(22.0, accent), &notice)?;
        y += 72.0;
    }
    moment(sheet, data, y)
}

/// The dark band at the top of a page.
fn head(sheet: &mut Sheet<'_>, page: Area, height: f64) {
    let (right, bottom) = (page.x + page.width, page.y + height);
    sheet.draw(format_args!(
        "<path d=\"M{} {bottom}V{}a22 22 0 0 1 22 -22H{}a22 22 0 0 1 22 22V{bottom}z\" fill=\"url(#head)\"/><path d=\"M{} {bottom}H{right}\" stroke=\"#e0a526\" stroke-width=\"3\"/>",
        page.x, page.y + 22.0, right - 22.0, page.x
    ));
}

/// The band with the status: what counts at a glance, in words, colour and shape.
fn status(sheet: &mut Sheet<'_>, data: &CardData, palette: Palette) -> Result<(), CardError> {
    let width = WIDTH - 2.0 * MARGIN - 2.0;
    sheet.draw(format_args!(
        "<rect x=\"{}\" y=\"126\" width=\"{width}\" height=\"52\" fill=\"{}\"/>",
        MARGIN + 1.0,
        palette.tint
    ));
    let valid = data.status.display() == DisplayMode::Valid;
    let sign = if valid { "M-7 0l5 6 9 -11" } else { "M0 -8v9M0 6.5v1" };
    sheet.draw(format_args!(
        "<g transform=\"translate(64 152)\"><circle r=\"15\" fill=\"{}\"/><path d=\"{sign}\" fill=\"none\" stroke=\"#fff\" stroke-width=\"3.4\" stroke-linecap=\"round\"/></g>",
        palette.accent
    ));
    let label = "驾驶证状态";
    sheet.text(90.0, 160.0, Anchor::Start, Look::plain(23.0, LABEL), label)?;
    let after = 90.0 + sheet.width(label, 23.0)? + 16.0;
    let edition = "电子版";
    let room = RIGHT - sheet.width(edition, 22.0)? - 20.0 - after;
    // Read aloud, the status follows its label.
    sheet.block(Area::new(after, 134.0, room, 40.0), Look::bold(28.0, palette.accent), &data.status.names_zh())?;
    sheet.text(RIGHT, 160.0, Anchor::End, Look::plain(22.0, LABEL), edition)
}

fn picture(sheet: &mut Sheet<'_>, data: &CardData) -> Result<(), CardError> {
    let url = portrait::data_url(&data.portrait)?;
    let Area { x, y, width, height } = PORTRAIT;
    sheet.draw(format_args!(
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"#fff\" stroke=\"#8fc3a6\" stroke-width=\"1.5\"/>\
         <image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"xMidYMid slice\" href=\"{url}\"/>",
        x - 4.0, y - 4.0, width + 8.0, height + 8.0
    ));
    Ok(())
}

fn code(sheet: &mut Sheet<'_>, data: &CardData, palette: Palette, area: Area) -> Result<(), CardError> {
    let code = qr::encode(&data.code)?;
    let Area { x, y, width, height } = area;
    sheet.draw(format_args!(
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"12\" fill=\"#fff\" stroke=\"{}\" stroke-width=\"2\"/>",
        palette.accent
    ));
    sheet.draw(format_args!(
        "<path transform=\"translate({x} {y}) scale({:.5})\" fill=\"{}\" shape-rendering=\"crispEdges\" d=\"{}\"/>",
        width / code.side as f64,
        palette.code,
        code.path
    ));
    sheet.text(x + width / 2.0, y + height + 27.0, Anchor::Middle, Look::plain(19.0, LABEL), "扫码核验 Scan to verify")
}

/// When this picture was made: it is only good in the moment of showing.
fn moment(sheet: &mut Sheet<'_>, data: &CardData, y: f64) -> Result<(), CardError> {
    sheet.draw(format_args!(
        "<rect x=\"{LEFT}\" y=\"{y}\" width=\"{}\" height=\"52\" rx=\"10\" fill=\"{DEEP}\"/>",
        RIGHT - LEFT
    ));
    let at = data.generated_at.with_timezone(&CHINA_TIME).format("%Y-%m-%d %H:%M:%S").to_string();
    sheet.text(LEFT + 18.0, y + 34.0, Anchor::Start, Look::plain(21.0, "#cfe9da"), "生成时间（北京时间）")?;
    sheet.text(RIGHT - 18.0, y + 37.0, Anchor::End, Look::bold(31.0, "#ffffff"), &at)?;
    let notices = format!("{SCREENSHOT_INVALID_ZH}{PAPER_NEEDED_ZH}");
    sheet.text(WIDTH / 2.0, y + 78.0, Anchor::Middle, Look::plain(18.0, LABEL), &notices)
}

/// A label with its value below.
fn field(sheet: &mut Sheet<'_>, area: Area, zh: &str, en: &str, look: Look, value: &str) -> Result<(), CardError> {
    sheet.text(area.x, area.y + 20.0, Anchor::Start, Look::plain(20.0, LABEL), zh)?;
    let after = area.x + sheet.width(zh, 20.0)? + 10.0;
    sheet.text(after, area.y + 19.5, Anchor::Start, Look::plain(16.0, LABEL), en)?;
    let value: Vec<_> = value.lines().map(clean).collect();
    let place = Area::new(area.x, area.y + 30.0, area.width, area.height - 30.0);
    sheet.block(place, look, &value.join("\n"))
}

fn rule(sheet: &mut Sheet<'_>, y: f64, right: f64) {
    sheet.draw(format_args!("<path d=\"M{LEFT} {y}H{right}\" stroke=\"{RULE}\" stroke-width=\"1.2\"/>"));
}

/// The registry's word for it, in the card's language where the word is known.
fn sex(data: &CardData) -> &str {
    match data.sex.as_deref() {
        Some("male" | "M" | "1") => "男",
        Some("female" | "F" | "2") => "女",
        other => other.unwrap_or_default(),
    }
}

fn date(day: Option<NaiveDate>) -> String {
    day.map(|day| day.to_string()).unwrap_or_default()
}

fn period(data: &CardData) -> String {
    let end = data.valid_until.map_or_else(|| "长期".to_owned(), |day| day.to_string());
    data.valid_from.map_or_else(|| end.clone(), |from| format!("{from} 至 {end}"))
}

/// `C1 小型汽车`, one a line while there is room. A text that is no compound of classes is left to the main page.
fn classes_in_words(classes: &str) -> String {
    let classes = VehicleClasses::parse(classes);
    let names = classes.iter().flat_map(VehicleClasses::classes).map(|class| format!("{class} {}", class.name_zh()));
    let names: Vec<_> = names.collect();
    names.join(if names.len() > 4 { "、" } else { "\n" })
}
