//! How sequences stand, and how they are set.

use crate::server::{Server, table};
use rbk_core::catalog::ColumnName;
use rbk_core::plan::SequenceFacts;
use rbk_core::ports::{PortErrorKind, Sent, SequenceState};

fn sequence(name: &str, owner: Option<(&str, &str)>) -> SequenceFacts {
    let name = table(name);
    SequenceFacts {
        schema: name.schema,
        name: name.table,
        owner: owner.map(|(of, column)| ColumnName {
            table: table(of),
            column: column.to_owned(),
        }),
        increment: 1,
    }
}

fn state(next: i64, furthest: Option<i64>) -> SequenceState {
    SequenceState { next, furthest }
}

#[tokio::test]
async fn the_next_value_is_the_one_that_nextval_gives() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE SEQUENCE public.fresh START 5; CREATE SEQUENCE public.used; SELECT nextval('public.used'), nextval('public.used'); \
             CREATE SEQUENCE public.down INCREMENT -3 START 10 MINVALUE -100 MAXVALUE 100; SELECT nextval('public.down'); \
             CREATE SEQUENCE public.round MAXVALUE 2 CYCLE; SELECT nextval('public.round'), nextval('public.round'); \
             CREATE SEQUENCE public.round_down INCREMENT -2 MINVALUE 1 MAXVALUE 6 START 2 CYCLE; SELECT nextval('public.round_down'); \
             CREATE SEQUENCE public.cached CACHE 20; SELECT nextval('public.cached'); \
             CREATE SEQUENCE public.\"S \"\"'; --\" START 7",
        )
        .await;
    let session = server.session().await;
    let names = [
        "public.fresh",
        "public.used",
        "public.down",
        "public.round",
        "public.round_down",
        "public.cached",
        "public.S \"'; --",
    ];
    let facts = names.map(|name| sequence(name, None));
    let states = session.sequences(&facts).await.unwrap();
    let client = server.administrator().connect().await.unwrap();
    for (facts, state) in facts.iter().zip(&states) {
        let next: i64 = client
            .query_one(
                "SELECT nextval(format('%I.%I', $1::text, $2::text))",
                &[&facts.schema, &facts.name],
            )
            .await
            .unwrap()
            .get(0);
        assert_eq!(state.next, next, "{}", facts.name);
        assert_eq!(state.furthest, None);
    }
}

#[tokio::test]
async fn the_furthest_value_of_the_column_is_found() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.t (id bigserial, small smallserial, ident int GENERATED ALWAYS AS IDENTITY, \
               down int DEFAULT 0, exact numeric(30, 5), code text); \
             CREATE SEQUENCE public.down INCREMENT -1; CREATE SEQUENCE public.codes OWNED BY public.t.code; \
             CREATE SEQUENCE public.exacts OWNED BY public.t.exact; CREATE TABLE public.heir () INHERITS (public.t); \
             CREATE TABLE public.empty (id serial); \
             CREATE TABLE public.parted (id bigserial, k int) PARTITION BY LIST (k); \
             CREATE TABLE public.part PARTITION OF public.parted FOR VALUES IN (1); \
             INSERT INTO public.parted VALUES (55, 1); \
             INSERT INTO public.t OVERRIDING SYSTEM VALUE VALUES (100, 7, 40, -9, 10.5, 'x'), (99, 8, 41, 3, 2, 'y'); \
             INSERT INTO public.heir (id, ident) VALUES (1000, 2)",
        )
        .await;
    let session = server.session().await;
    let states = session
        .sequences(&[
            sequence("public.t_id_seq", Some(("public.t", "id"))),
            sequence("public.t_small_seq", Some(("public.t", "small"))),
            sequence("public.t_ident_seq", Some(("public.t", "ident"))),
            sequence("public.down", Some(("public.t", "down"))),
            sequence("public.exacts", Some(("public.t", "exact"))),
            sequence("public.codes", Some(("public.t", "code"))),
            sequence("public.empty_id_seq", Some(("public.empty", "id"))),
            sequence("public.parted_id_seq", Some(("public.parted", "id"))),
        ])
        .await
        .unwrap();
    assert_eq!(
        states,
        [
            state(1, Some(1000)),
            state(2, Some(8)),
            state(1, Some(41)),
            state(-1, Some(-9)),
            state(1, Some(11)),
            state(1, None),
            state(1, None),
            state(1, Some(55)),
        ]
    );
}

#[tokio::test]
async fn a_set_sequence_gives_that_value_next_however_often_it_is_set() {
    let server = Server::start().await;
    server
        .sql(
            "CREATE TABLE public.\"T 1\" (\"i d\" int GENERATED ALWAYS AS IDENTITY, v text); \
             CREATE SEQUENCE public.down INCREMENT -1 MINVALUE -10 MAXVALUE -1",
        )
        .await;
    let identity = sequence("public.T 1_i d_seq", Some(("public.T 1", "i d")));
    let down = sequence("public.down", None);
    let session = server.session().await;
    for _ in 0..2 {
        session
            .set_sequences(&[(identity.clone(), 42), (down.clone(), -7)])
            .await
            .unwrap();
    }
    let client = server.administrator().connect().await.unwrap();
    let row = client
        .query_one(
            "INSERT INTO public.\"T 1\" (v) VALUES ('x') RETURNING \"i d\"",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(row.get::<_, i32>(0), 42);
    let states = session.sequences(&[identity, down]).await.unwrap();
    assert_eq!(states, [state(43, Some(42)), state(-7, None)]);
}

#[tokio::test]
async fn nothing_is_set_where_one_value_can_not_be() {
    let server = Server::start().await;
    server
        .sql("CREATE SEQUENCE public.a; CREATE SEQUENCE public.b AS smallint")
        .await;
    let [a, b] = ["public.a", "public.b"].map(|name| sequence(name, None));
    let session = server.session().await;
    let error = session
        .set_sequences(&[(a.clone(), 9), (b, 40_000)])
        .await
        .unwrap_err();
    assert_eq!(error.kind, PortErrorKind::InvalidRequest, "{error}");
    assert_eq!(error.sent, Sent::No);
    assert!(
        error.message.contains("`public.b` goes from 1 to 32767"),
        "{error}"
    );
    let gone = sequence("public.gone", None);
    let error = session
        .set_sequences(&[(a.clone(), 9), (gone.clone(), 1)])
        .await
        .unwrap_err();
    assert_eq!(error.kind, PortErrorKind::NotFound, "{error}");
    assert_eq!(session.sequences(&[a]).await.unwrap(), [state(1, None)]);
    let error = session.sequences(&[gone]).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn what_was_set_before_a_refusal_is_not_denied() {
    let server = Server::start().await;
    server
        .sql("CREATE SEQUENCE public.a; CREATE SEQUENCE public.b")
        .await;
    let role = server.role("sequencer").await;
    server
        .sql(&format!(
            "REVOKE ALL ON SEQUENCE public.b FROM {}",
            role.role
        ))
        .await;
    let connector = server.connector();
    let session = rbk_core::ports::Postgres::connect(&connector, &role.login)
        .await
        .unwrap();
    let [a, b] = ["public.a", "public.b"].map(|name| sequence(name, None));
    let error = session
        .set_sequences(&[(a.clone(), 9), (b.clone(), 9)])
        .await
        .unwrap_err();
    assert_eq!(error.kind, PortErrorKind::AccessDenied, "{error}");
    assert_eq!(error.sent, Sent::Maybe, "{error}");
    let error = session.set_sequences(&[(b, 9), (a, 9)]).await.unwrap_err();
    assert_eq!(error.sent, Sent::No, "{error}");
}
