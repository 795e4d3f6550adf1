//! Strongly connected components: where the cycles are (Tarjan 1972), with a stack of its own, so that no graph is too deep.

use super::NONE;
use super::dependencies::Graph;

/// The components of more than one node, each a list of nodes.
pub(super) fn components(graph: &Graph) -> Vec<Vec<u32>> {
    let nodes = graph.nodes();
    let mut number = vec![NONE; nodes];
    let mut lowest = vec![0_u32; nodes];
    // Nodes whose component is not known yet, and those on the way down with the next edge of each.
    let (mut open, mut way) = (Vec::new(), Vec::<(u32, u32)>::new());
    let mut next = 0;
    let mut found = Vec::new();
    for root in 0..nodes as u32 {
        if number[root as usize] != NONE {
            continue;
        }
        way.push((root, graph.edges(root).start));
        (number[root as usize], lowest[root as usize]) = (next, next);
        next += 1;
        open.push(root);
        while let Some((node, edge)) = way.last_mut() {
            let at = *node as usize;
            if *edge < graph.edges(*node).end {
                let to = graph.to(*edge);
                *edge += 1;
                if number[to as usize] == NONE {
                    (number[to as usize], lowest[to as usize]) = (next, next);
                    next += 1;
                    open.push(to);
                    way.push((to, graph.edges(to).start));
                } else if lowest[to as usize] != NONE {
                    lowest[at] = lowest[at].min(number[to as usize]);
                }
                continue;
            }
            let node = *node;
            way.pop();
            if let Some((above, _)) = way.last() {
                let above = *above as usize;
                lowest[above] = lowest[above].min(lowest[at]);
            }
            if lowest[at] == number[at] {
                let begin = open.iter().rposition(|&other| other == node).expect("the root of a component is open");
                // What is done counts no more.
                for &done in &open[begin..] {
                    lowest[done as usize] = NONE;
                }
                if open.len() - begin > 1 {
                    found.push(open[begin..].to_vec());
                }
                open.truncate(begin);
            }
        }
    }
    found
}
