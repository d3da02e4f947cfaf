//! The helpers that could be wrong by themselves.

use crate::support::sample::{file_number, identity_number, sample, with_check_digit};
use crate::support::{Database, photo};

#[test]
fn check_digits_follow_the_standard() {
    assert_eq!(with_check_digit("11010519491231002"), "11010519491231002X");
    assert_eq!(with_check_digit("44052418800101001"), "440524188001010014");
}

#[test]
fn identity_numbers_are_new_every_time_and_carry_the_sequence() {
    let (one, two) = (identity_number(910), identity_number(910));
    assert_ne!(one, two);
    assert_eq!(&one[14..17], "910");
    assert_eq!(file_number("11010519491231002X"), "150300310020");
    assert_eq!(sample(0).body["licence"]["file_number"].as_str().unwrap().len(), 12);
}

#[test]
fn pictures_have_the_size_they_claim() {
    let picture = image::load_from_memory(&photo::white_png(520, 756)).unwrap();
    assert_eq!((picture.width(), picture.height()), (520, 756));
    let header = photo::png_header(50_000, 50_000);
    let size =
        image::ImageReader::new(std::io::Cursor::new(header)).with_guessed_format().unwrap().into_dimensions().unwrap();
    assert_eq!(size, (50_000, 50_000));
}

#[tokio::test]
async fn a_test_database_is_there_and_goes_away() {
    use sqlx::Connection as _;
    let database = Database::postgres().await;
    let url = database.url().to_owned();
    sqlx::PgConnection::connect(&url).await.unwrap().close().await.unwrap();
    drop(database);
    assert!(sqlx::PgConnection::connect(&url).await.is_err());
}
