"""The oracle: random lives of a source and of its syncs, judged after every step.

A hypothesis state machine per CRM changes records, syncs with any flags, breaks the source, the
database and the process, and asks after each step whether the history tells the truth, and at the
end whether the warehouse is what the source holds, row for row.

- `bench` has the real parts: PostgreSQL, the sandbox, a process that can be killed;
- `machine` what is the same for every CRM: how a sync is judged, and who disturbs it;
- `told` what webhooks tell meanwhile, and what is read because of it;
- `hubspot` and `genius` how records live there, `faults` what may go wrong on the way;
- `soak` runs them for as long as one likes, `test_oracle` for a minute.
"""
