//! A workflow as a Mermaid flowchart.

use super::{Target, Workflow};

/// The flow from submission to the last notice. Rejections, which need no entry in the file, are dotted.
pub(super) fn flowchart(workflow: &Workflow) -> String {
    let notices = workflow.notices.stage;
    let mut lines = vec![
        "flowchart TD".to_owned(),
        format!("    %% {}", workflow.id()),
        "    submitted([submitted])".to_owned(),
        "    decided([decided])".to_owned(),
        "    done([done])".to_owned(),
        format!("    submitted --> {}", workflow.start),
    ];
    for (stage, rule) in workflow.stages.iter().filter(|(stage, _)| **stage != notices) {
        for (outcome, target) in &rule.on {
            lines.push(match target {
                Target::Stage(next) => format!("    {stage} -->|{outcome}| {next}"),
                Target::End => format!("    {stage} -->|{outcome}| decided"),
            });
        }
        lines.push(format!("    {stage} -.->|rejected| decided"));
    }
    lines.push(format!("    decided --> {notices}"));
    for outcome in workflow.rule(notices).into_iter().flat_map(|rule| rule.on.keys()) {
        lines.push(format!("    {notices} -->|{outcome}| done"));
    }
    lines.join("\n") + "\n"
}
