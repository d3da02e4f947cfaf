//! Names and addresses as people have them, and as nobody should.

use super::*;

fn named(name: &str) -> CardData {
    CardData { name: name.to_owned(), ..sample() }
}

#[test]
fn a_missing_glyph_refuses_the_card() {
    for name in ["𬭎", "㛃", "张𬭎㛃", "葛\u{e0100}", "\u{e000}", "张\u{fffd}", "سەن"] {
        assert_eq!(svg(&named(name)), Err(CardError::GlyphMissing), "{name:?}");
    }
    for wrong in [
        CardData { address: Some("㛃镇".to_owned()), ..sample() },
        CardData { nationality: Some("𬭎".to_owned()), ..sample() },
        CardData { authority: "㛃C".to_owned(), ..sample() },
    ] {
        assert_eq!(svg(&wrong), Err(CardError::GlyphMissing));
    }
}

#[test]
fn a_font_without_chinese_is_filled_up_by_the_shipped_one() {
    // Debian's package `fonts-dejavu-core`; a machine without it skips this.
    let path = Path::new("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf");
    if !path.exists() {
        return;
    }
    let fonts = Fonts::load(Some(path)).unwrap();
    // The Cyrillic letters are of the one font, the Chinese ones of the other.
    for name in ["Ђура 张", "Ђура", "张三"] {
        let svg = layout::card(&fonts, &named(name)).unwrap();
        assert!(png::draw(&fonts, &svg, 360).is_ok(), "{name}");
    }
    let unchecked = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><text y='8'>张㛃</text></svg>";
    assert_eq!(png::draw(&fonts, unchecked, 9), Err(CardError::GlyphMissing));
}

#[test]
fn direction_marks_do_not_reach_the_card() {
    let text = svg(&named("张\u{202e}三\u{200f}\u{2066}")).unwrap();
    assert!(text.contains(">张三<"));
    assert!(
        !text.chars().any(|c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    );
}

#[test]
fn markup_in_data_stays_text() {
    let hostile = "</text><script>alert(1)</script><image href='file:///etc/passwd'/>&#0;\"";
    let data = CardData {
        name: hostile.to_owned(),
        address: Some(hostile.to_owned()),
        classes: "<b>".to_owned(),
        notice: Some(hostile.to_owned()),
        code: hostile.to_owned(),
        ..sample()
    };
    let text = svg(&data).unwrap();
    assert!(!text.contains("<script") && !text.contains("file:///etc/passwd'/>") && text.contains("&lt;/text&gt;"));
    assert_eq!(text.matches("<image").count(), 1);
    assert_eq!(decoded(&pixels(&data, PNG_WIDTH)), [hostile]);
}

#[test]
fn all_that_is_known_is_printed() {
    let text = svg(&sample()).unwrap();
    for part in [
        ">张三<",
        ">男<",
        ">中国<",
        ">1949-12-31<",
        ">2009-06-01<",
        ">C1D<",
        ">2021-06-01 至 2031-06-01<",
        ">蒙C<",
        ">150300123456<",
        ">1101**********002X<",
        ">正常<",
        ">C1 小型汽车<",
        ">D 普通三轮摩托车<",
        ">2026-11-22 22:00:05<",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let open = CardData { valid_until: None, address: None, ..sample() };
    let text = svg(&open).unwrap();
    assert!(text.contains(">2021-06-01 至 长期<") && !text.contains("住址"));
}

#[test]
fn a_text_that_nobody_could_read_refuses_the_card() {
    let endless = CardData { address: Some("路".repeat(2_000)), ..sample() };
    assert_eq!(svg(&endless), Err(CardError::TextTooLong));
    let fifty = "W".repeat(50);
    assert!(svg(&named(&fifty)).is_ok());
}

#[test]
fn debug_shows_nobody() {
    let shown = format!("{:?}", sample());
    assert_eq!(shown, "CardData(status `A`)");
}

#[test]
fn what_no_font_has_is_known_before_anything_is_drawn() {
    let press = CardPress::load(None).unwrap();
    assert_eq!(press.missing(["张三", "蒙C", "C1D", "150300123456", "内蒙古\u{202e} 乌海市\n"]), BTreeSet::new());
    let missing = press.missing(["张𬭎", "㛃𬭎镇", "葛\u{e0100}"]);
    assert_eq!(missing.into_iter().collect::<Vec<_>>(), ["U+2CB4E", "U+36C3", "U+845B U+E0100"]);
}

#[test]
fn every_viewer_shows_the_same_picture() {
    use resvg::{tiny_skia, usvg};
    const WIDTH: u32 = 360;
    let (fonts, data) = (fonts(), sample());
    let outlined = outline::draw(&fonts, &layout::card(&fonts, &data).unwrap(), layout::NAME).unwrap();
    // A viewer without a single font.
    let tree = usvg::Tree::from_str(&outlined, &usvg::Options::default()).unwrap();
    let scale = WIDTH as f32 / tree.size().width();
    let wanted = pixels(&data, WIDTH);
    let mut seen = tiny_skia::Pixmap::new(WIDTH, wanted.height()).unwrap();
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut seen.as_mut());
    let far = seen.pixels().iter().zip(wanted.pixels()).filter(|(seen, wanted)| {
        let seen = [seen.red(), seen.green(), seen.blue()];
        seen.iter().zip(wanted.0).any(|(seen, wanted)| seen.abs_diff(wanted) > 40)
    });
    assert!(far.count() * 1000 < wanted.pixels().len());
    // And one that reads has the texts, in their order.
    assert!(printed(&outlined).contains("张三") && outlined.contains("<title>机动车驾驶证电子版</title>"));
    for markup in ["<script", "<b>"] {
        let hostile = CardData { name: markup.to_owned(), ..sample() };
        assert!(!outline::draw(&fonts, &layout::card(&fonts, &hostile).unwrap(), "").unwrap().contains(markup));
    }
}

#[test]
fn both_notices_are_on_the_card() {
    let text = printed(&svg(&sample()).unwrap());
    assert!(text.contains("电子驾驶证应当实时出示，截图无效。特定情况下，仍需使用纸质驾驶证。"), "{text}");
}

#[tokio::test]
async fn the_press_draws_beside_the_async_threads() {
    let press = CardPress::load(None).unwrap();
    assert!(press.svg(sample()).await.unwrap().starts_with("<svg"));
    assert_eq!(press.png(named("𬭎")).await, Err(CardError::GlyphMissing));
    let broken = CardData { portrait: b"no picture".to_vec(), ..sample() };
    assert_eq!(press.svg(broken).await, Err(CardError::PortraitUnusable));
}
