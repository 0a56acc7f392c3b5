"""What banks call an account: one's own, somebody else's, or either's. Folded as in `words`.

Apart from `words` because it is for `owners` nearly alone, and because a name in the wrong set asks a needless question
or mixes two accounts.
"""

from statements.reading.words import listed

# Columns that name one's own account; that number one, or sometimes the other party's; that number either's.
OWN_ACCOUNT = set(
    listed(
        "account|account name|account nickname|account id|account mask|account label|account description|accountname"
        "|account title|acct|acct name|my account|own account|this party account|your account"
        "|accounts|wallet|wallet name"
        "|konto|kontoname|kontobezeichnung|auftragskonto|iban auftragskonto|bezeichnung auftragskonto|eigenes konto"
        "|eigene iban|eigene kontonummer|own iban|rekening|iban bban|eigen rekening|compte|nom du compte"
        "|libelle du compte|cuenta|nombre de la cuenta|conto|nome conto|conta|nome da conta|rachunek|moje konto"
        "|ucet|tili|kontonavn|kontonamn"
    )
)
ACCOUNT_NUMBER = set(
    listed("account number|account no|account nr|account num|acct number|acct no|accountnumber|bank account")
)
# First words of a bookkeeping's accounts that are no bank's: categories of spending.
CATEGORIES = set(listed("expense|expenses|income|ausgaben|einnahmen|depenses|gastos"))
EITHERS_ACCOUNT = set(
    listed(
        "iban|bban|iban number|account iban|account identifier|kontonummer|konto nr|kontonr|konto nummer"
        "|kontonummer iban|iban kontonummer|rekeningnummer|numero de compte|n de compte|no de compte"
        "|numero de cuenta|numero conto|numero di conto|numer rachunku|numer konta|cislo uctu"
    )
)
ACCOUNT_KINDS = set(listed("account type|product|account kind|kontotyp|kontoart|type de compte|tipo de cuenta"))
KINDS_OF_ACCOUNT = set(
    listed(
        "current|checking|chequing|cheque|savings|saving|deposit|pocket|pockets|vault|cash|investment|investments"
        "|credit card|visa|mastercard|loan|line of credit|giro|girokonto|sparkonto|tagesgeld|kreditkarte"
        "|current account|savings account|checking account|compte courant|livret|cuenta corriente|ahorro"
    )
)
OTHER_PARTY = set(
    listed(
        "counter|counterparty|other|party|partner|payee|payer|beneficiary|recipient|receiver|sender|remitter|to|from"
        "|destination|target|source|contra|gegenkonto|tegenrekening|tegenpartij|empfanger|auftraggeber|zahler"
        "|zahlungsbeteiligter|begunstigter|glaubiger|creditor|debtor|kontrahent|odbiorcy|nadawcy|destinataire"
        "|beneficiaire|beneficiario|ordenante|controparte|mandate|mandat|reference|ref|card|karte"
    )
)
# First words of a line that names the account of the rows below; and words of lines that name something else.
ACCOUNT_TITLES = set(
    listed("account|acct|konto|kontonummer|auftragskonto|iban|rekening|compte|cuenta|conto|conta|rachunek|ucet|tili")
)
NOT_A_TITLE = set(
    listed(
        "balance|saldo|solde|total|sum|summe|holder|owner|inhaber|titular|titulaire|intestatario|type|currency"
        "|wahrung|summary|activity|open|opened|closed|limit|end|of"
    )
)
