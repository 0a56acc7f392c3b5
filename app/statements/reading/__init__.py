"""From the bytes of a bank's file to a statement: rows, period, balances, account, warnings, and an error per bad row.

This package is pure: no Django, no database, no files, no clock. `importing` calls it and saves what it returns;
`tests/app/statements/reading/test_purity.py` holds it to that. The contract, in the order of the steps:

- Can it read this? `kinds.refuse_others` refuses other formats by their first bytes, `wells_fargo.recognises` and
  `table.find` say which table the file holds. A file that nothing here can read raises `parsing.Unreadable` with the
  reason and, where there is one, the line.
- How sure, and why? `evidence` and `movement` prove by arithmetic how the file is written. Words only order the
  choices of a question. What is proven goes into the statement's `notes` with its reason; what is not becomes an
  `asking.Question`, and no row is imported before a person answers it.
- Rows. `Statement.rows` holds one `Row` per transaction: line, cells as written, date, signed amount, check number,
  description. An amount never becomes 0 and a row is never dropped: it is a row, a problem or a line left out.
- Period and balances. The period is the dates of the rows. The balance column proves signs, fees and lines that are
  no transactions; it is not part of a row.
- Account. `Statement.own_account` is the account as the file names it, "" where it names none; `owners` decides.
- Warnings. `Statement.notes` says what was decided, `Statement.left_out` names each line that is no row, and why.
- Errors per row. `Statement.problems` holds a `Problem` with the line and the value seen for each unreadable row.
"""
