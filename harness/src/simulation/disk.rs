//! A disk that forgets: what was not synced is lost when the power fails, and the last write may be torn.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::{Rng, RngExt};
use rand_xoshiro::Xoshiro256PlusPlus;
use shakedown_systems::door::{Files, Sent};

use crate::faults::DiskFault;

/// A node's disk. It outlives the node's processes.
pub struct SimulatedDisk {
    state: Mutex<State>,
    /// How long a sync takes: at least and at most, in milliseconds.
    sync_ms: [u64; 2],
}

struct State {
    files: BTreeMap<String, File>,
    /// The names that are durable, and what files were behind those that have been removed since.
    names: BTreeSet<String>,
    removed: BTreeMap<String, File>,
    chance: Xoshiro256PlusPlus,
    /// What it does that it should not, and which faults do that.
    faults: Vec<(u32, DiskFault)>,
    /// What those did since they were asked.
    felt: Vec<(u32, &'static str, u64)>,
}

#[derive(Clone, Debug, Default)]
struct File {
    content: Vec<u8>,
    /// So much of the content is durable.
    durable: usize,
    /// What is durable behind that, though it was cut off.
    cut: Vec<u8>,
}

impl SimulatedDisk {
    /// An empty disk.
    pub fn new(sync_ms: [u64; 2], chance: Xoshiro256PlusPlus) -> SimulatedDisk {
        let state = State {
            files: BTreeMap::new(),
            names: BTreeSet::new(),
            removed: BTreeMap::new(),
            chance,
            faults: Vec::new(),
            felt: Vec::new(),
        };
        SimulatedDisk { state: Mutex::new(state), sync_ms }
    }

    /// The power fails. Tells how many bytes that had been written are gone.
    ///
    /// Of what was appended and not synced, a part of any length may remain. Files whose names were not synced are gone.
    pub fn lose_power(&self) -> u64 {
        let mut state = self.state();
        let State { files, names, removed, chance, .. } = &mut *state;
        let mut lost = 0;
        for (name, file) in std::mem::take(removed) {
            files.entry(name).or_insert(file);
        }
        files.retain(|name, file| {
            let kept = names.contains(name);
            if !kept {
                lost += file.content.len() as u64;
            }
            kept
        });
        for file in files.values_mut() {
            let written = file.content.len() - file.durable;
            let torn = if file.cut.is_empty() && written > 0 { chance.random_range(0..=written) } else { 0 };
            lost += (written - torn) as u64;
            file.content.truncate(file.durable + torn);
            file.content.append(&mut file.cut);
            file.durable = file.content.len();
        }
        lost
    }

    /// Another disk comes in its place, an empty one. Tells how many bytes are gone.
    pub fn lose_everything(&self) -> u64 {
        let mut state = self.state();
        let lost = state.files.values().map(|file| file.content.len() as u64).sum();
        state.files.clear();
        state.names.clear();
        state.removed.clear();
        lost
    }

    /// Begins to do what it should not; what happens once happens now.
    pub fn break_down(&self, fault: u32, what: DiskFault) {
        let mut state = self.state();
        let State { files, names, removed, chance, felt, .. } = &mut *state;
        match what {
            DiskFault::Rot(bits) => {
                for _ in 0..bits {
                    let kept: Vec<&mut File> = files.values_mut().filter(|file| file.durable > 0).collect();
                    let total: usize = kept.iter().map(|file| file.durable).sum();
                    let mut at = if total == 0 { continue } else { chance.random_range(0..total) };
                    let bit = chance.random_range(0..8);
                    for file in kept {
                        if at < file.durable {
                            file.content[at] ^= 1 << bit;
                            felt.push((fault, "bits flipped", 1));
                            break;
                        }
                        at -= file.durable;
                    }
                }
            }
            DiskFault::LostEntry => {
                if let Some((name, _)) = files.pop_last() {
                    names.remove(&name);
                    removed.remove(&name);
                    felt.push((fault, "files lost", 1));
                }
            }
            lasting => state.faults.push((fault, lasting)),
        }
    }

    /// Stops doing what a fault made it do.
    pub fn mend(&self, fault: u32) {
        self.state().faults.retain(|(id, _)| *id != fault);
    }

    /// What faults did since this was asked.
    pub fn take_felt(&self) -> Vec<(u32, &'static str, u64)> {
        std::mem::take(&mut self.state().felt)
    }

    /// Waits as long as a sync takes. Tells whether it makes anything durable.
    async fn synchronise(&self) -> io::Result<bool> {
        let (mut latency, mut fails, mut lies) = (self.latency(), false, false);
        {
            let mut state = self.state();
            let State { faults, felt, chance, .. } = &mut *state;
            for (fault, what) in faults.iter() {
                match *what {
                    DiskFault::SlowSync(more) => {
                        latency += Duration::from_millis(more);
                        felt.push((*fault, "milliseconds of syncs", more));
                    }
                    DiskFault::FailingSync(probability) if chance.random_bool(probability) => {
                        fails = true;
                        felt.push((*fault, "syncs failed", 1));
                    }
                    DiskFault::LyingSync => {
                        lies = true;
                        felt.push((*fault, "syncs not done", 1));
                    }
                    _ => {}
                }
            }
        }
        tokio::time::sleep(latency).await;
        if fails { Err(io::Error::other("the disk failed to sync")) } else { Ok(!lies) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn latency(&self) -> Duration {
        let [least, most] = self.sync_ms;
        let draw = self.state().chance.next_u64();
        Duration::from_millis(least + draw % (most - least + 1))
    }
}

impl Files for SimulatedDisk {
    fn list(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        let State { files, faults, felt, chance, .. } = &mut *state;
        let mut content = files.get(name).ok_or_else(|| missing(name))?.content.clone();
        for (fault, what) in faults.iter() {
            if let DiskFault::Misread(probability) = what
                && !content.is_empty()
                && chance.random_bool(*probability)
            {
                let at = chance.random_range(0..content.len());
                content[at] ^= 1 << chance.random_range(0..8);
                felt.push((*fault, "reads altered", 1));
            }
        }
        Ok(content)
    }

    fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let full = state.faults.iter().find(|(_, what)| *what == DiskFault::Full).map(|(fault, _)| *fault);
        if let (Some(fault), false) = (full, bytes.is_empty()) {
            state.felt.push((fault, "writes refused", 1));
            return Err(io::Error::new(ErrorKind::StorageFull, "the disk is full"));
        }
        state.files.entry(name.to_owned()).or_default().content.extend_from_slice(bytes);
        Ok(())
    }

    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        let mut state = self.state();
        let file = state.files.get_mut(name).ok_or_else(|| missing(name))?;
        let length = usize::try_from(length).ok().filter(|length| *length <= file.content.len());
        let length = length.ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, format!("{name} is shorter")))?;
        if length < file.durable {
            let cut = file.content[length..file.durable].to_vec();
            file.cut.splice(0..0, cut);
            file.durable = length;
        }
        file.content.truncate(length);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let file = state.files.remove(name).ok_or_else(|| missing(name))?;
        if state.names.contains(name) {
            state.removed.entry(name.to_owned()).or_insert(file);
        }
        Ok(())
    }

    fn sync<'a>(&'a self, name: &'a str) -> Sent<'a, io::Result<()>> {
        Box::pin(async move {
            let written = self.state().files.get(name).ok_or_else(|| missing(name))?.content.len();
            if !self.synchronise().await? {
                return Ok(());
            }
            let mut state = self.state();
            let file = state.files.get_mut(name).ok_or_else(|| missing(name))?;
            file.durable = file.durable.max(written.min(file.content.len()));
            file.cut.clear();
            Ok(())
        })
    }

    fn sync_directory(&self) -> Sent<'_, io::Result<()>> {
        Box::pin(async move {
            if !self.synchronise().await? {
                return Ok(());
            }
            let mut state = self.state();
            state.names = state.files.keys().cloned().collect();
            state.removed.clear();
            Ok(())
        })
    }
}

fn missing(name: &str) -> io::Error {
    io::Error::new(ErrorKind::NotFound, format!("there is no file {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Seed;

    fn disk() -> SimulatedDisk {
        SimulatedDisk::new([0, 0], Seed(3).stream("disk"))
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn what_was_synced_survives_the_power_and_the_rest_at_most_in_part() {
        for seed in 0..50 {
            let disk = SimulatedDisk::new([0, 0], Seed(seed).stream("disk"));
            disk.append("log", b"durable").unwrap();
            run(async {
                disk.sync("log").await.unwrap();
                disk.sync_directory().await.unwrap();
            });
            disk.append("log", b" and not").unwrap();
            let lost = disk.lose_power();
            let left = disk.read("log").unwrap();
            assert!(b"durable and not".starts_with(&left[..]) && left.starts_with(b"durable"));
            assert_eq!(left.len() + lost as usize, 15);
        }
    }

    #[test]
    fn a_file_whose_name_was_not_synced_is_gone() {
        let disk = disk();
        disk.append("new", b"x").unwrap();
        run(disk.sync("new")).unwrap();
        disk.lose_power();
        assert_eq!(disk.list(), Vec::<String>::new());
    }

    #[test]
    fn a_cut_that_was_not_synced_is_undone_by_the_power() {
        let disk = disk();
        disk.append("log", b"abcdef").unwrap();
        run(async {
            disk.sync("log").await.unwrap();
            disk.sync_directory().await.unwrap();
        });
        disk.truncate("log", 4).unwrap();
        disk.truncate("log", 2).unwrap();
        disk.append("log", b"XY").unwrap();
        assert_eq!(disk.read("log").unwrap(), b"abXY");
        disk.lose_power();
        assert_eq!(disk.read("log").unwrap(), b"abcdef");
    }

    #[test]
    fn a_file_that_was_removed_without_a_sync_of_the_directory_comes_back() {
        let disk = disk();
        disk.append("log", b"abc").unwrap();
        run(async {
            disk.sync("log").await.unwrap();
            disk.sync_directory().await.unwrap();
        });
        disk.remove("log").unwrap();
        assert!(disk.read("log").is_err());
        disk.lose_power();
        assert_eq!(disk.read("log").unwrap(), b"abc");
    }
}
