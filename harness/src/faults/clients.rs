//! Clients come and go.

use super::*;

/// All clients end their sessions and begin new ones, each after the operation that it is at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Churn {}

impl Family for Churn {
    const NAME: &'static str = "churn";
    const SUMMARY: &'static str =
        "all clients end their sessions and begin new ones, each as a process of another number";
    const GROUP: Group = Group::Clients;
    const IS_INSTANT: bool = true;

    fn draw(_: &mut Draw<'_>) -> Churn {
        Churn {}
    }

    fn groups(&self) -> Vec<&[String]> {
        Vec::new()
    }

    fn targets(&self, cluster: &Cluster) -> Vec<Host> {
        vec![cluster.nodes.len()]
    }

    fn begin(&self, _: &Cluster) -> Effect {
        Effect::Churn
    }

    fn describe(&self, _: &Cluster) -> String {
        "all clients".to_owned()
    }
}
