"""From the bytes of a bank's file to a statement: rows, period, balances, account, warnings, and an error per bad row.

This package is pure: no Django, no database, no files, no clock. `importing` calls `reader.read` and saves its result;
`tests/app/statements/reading/test_purity.py` checks that. The contract, in the order of the steps:

- Can it read this? `kinds` refuses other formats by their first bytes; `wells_fargo` and `table` find the rows. A file
  that no reader understands raises `parsing.Unreadable` with the reason and, where there is one, the line.
- How sure, and why? `evidence` and `movement` prove by arithmetic how the file is written. Words only order the choices
  of a question. A proof adds a note with its reason. Without a proof `asking.Asked` carries the question, and no row is
  imported before a person answers it.
- Rows. `Statement.rows` holds one `Row` per transaction: line, cells as written, date, signed amount, check number,
  description. No row disappears: each line is a row, a problem or a line left out. No amount becomes 0.
- Period and balances. The period is the dates of the rows. The balance column proves signs, fees and lines that are
  no transactions; rows do not carry it.
- Account. `Statement.own_account` is the account as the file names it, "" where it names none; `owners` decides.
- Warnings. `Statement.notes` names each decision; `Statement.left_out` names each line that is no row, and why.
- Errors per row. `Statement.problems` holds a `Problem` with the line and the value seen for each unreadable row.
"""
