//! The OpenAPI document: made from the registered routes, so that none can be missing.

use std::sync::LazyLock;

use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, Ref, RefOr, ResponseBuilder,
        path::{Operation, PathItem},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use super::{problem, router::routes};

#[derive(OpenApi)]
#[openapi(
    info(title = "Greenlane", description = "Durable workflow processor behind the electronic driving licence (电子驾驶证)"),
    components(schemas(problem::ProblemBody, problem::Fault)),
    tags(
        (name = "applications", description = "For upstream systems"),
        (name = "reviews", description = "For reviewers"),
        (name = "licences", description = "Issued licences"),
        (name = "operations", description = "For operators"),
        (name = "administration", description = "For administrators: users and keys, with the scope `admin`"),
        (name = "audit", description = "What happened"),
        (name = "health", description = "The process itself"),
    )
)]
pub(super) struct Head;

/// The document.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = routes().into_openapi();
    let key = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API key")).build();
    document.components.get_or_insert_default().add_security_scheme("key", SecurityScheme::Http(key));
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            complete(operation);
        }
    }
    document
}

/// The document as JSON text.
pub fn text() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());
    &TEXT
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten()
}

/// Every route answers problems, so no route says it by itself.
fn complete(operation: &mut Operation) {
    let schema = RefOr::Ref(Ref::from_schema_name("Problem"));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let problem =
        ResponseBuilder::new().description("A problem (RFC 9457)").content(problem::MEDIA_TYPE, content).build();
    operation.responses.responses.entry("default".to_owned()).or_insert(RefOr::T(problem));
}
