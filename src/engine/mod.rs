//! Runs stages durably: claim, run, plan, commit, continue; and the reconcilers under `sweep`.
