//! What `check` finds in a file only: references that SQLite can name by itself, and damage.

use crate::engine::OnSqlite;

type Scene = crate::scene::Scene<OnSqlite>;

#[tokio::test]
async fn an_orphan_body_is_found() {
    let said = Scene::with_every_row().await.said("INSERT INTO bodies VALUES (99, x'00')").await;
    assert_eq!(said, ["body 99 belongs to no event and to no delivery"]);
}

#[tokio::test]
async fn rows_that_point_nowhere_are_found() {
    let cases = [
        ("DELETE FROM bodies WHERE seq = 1", "events row 1 points to a row of bodies that is not there"),
        (
            "INSERT INTO attempts VALUES (99, 1, 1, 1, 'rejected', 500, NULL, NULL)",
            "to a row of deliveries that is not there",
        ),
        ("UPDATE deliveries SET event = 99 WHERE seq = 4", "deliveries row 4 points to a row of events"),
        ("INSERT INTO responses VALUES (1, 9, '[]', x'')", "to a row of attempts that is not there"),
    ];
    for (fault, wanted) in cases {
        let said = Scene::with_every_row().await.said(fault).await;
        assert!(said.iter().any(|it| it.contains(wanted)), "{fault}: {said:#?}");
    }
}

#[tokio::test]
async fn a_damaged_index_is_found() {
    let fault = "PRAGMA writable_schema = ON; \
                 UPDATE sqlite_schema SET sql = 'CREATE INDEX deliveries_of_event ON deliveries (pass)' \
                 WHERE name = 'deliveries_of_event'";
    let said = Scene::with_every_row().await.said(fault).await;
    assert!(said.iter().any(|it| it.starts_with("the database is damaged")), "{said:#?}");
}
