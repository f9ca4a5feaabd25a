"""The post office: what was accepted is kept until its outcome is known, and its outcome is never a guess.

job        PURE  the states of a message, and which change of state is allowed
policy     PURE  what is to be done with a message, and what an attempt made of it
admission  PURE  what is not accepted, or not yet: numbers, caps, opt-outs (caps: the rolling windows)
records    PURE  what is put in and read out (outcome: a carrier's attempt in these words)

store            the door to all that is kept; behind it
  intake, work, desk, sweeping, retention    operations: accepting; a worker's steps; persons and reports; time and crashes; forgetting
  reading, hooks, token_rows, counting       pages and the log; webhooks; tokens; units for the caps
  moves                                      the one way in which a message changes its state
  database, engines, postgres                transactions in groups; what differs between SQLite and PostgreSQL
  schema, migrations, rows                   the tables, how they came to be, and rows to records
  disk, files, bell                          locks, reserve and damage; media by hash; waking who waits

outbox           one worker for each line: claims, sends, settles
keeper           what time does: due, expired, left behind, forgotten
"""
