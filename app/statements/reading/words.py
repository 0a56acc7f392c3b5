"""The words of banks: headers, months, states, and phrases for money in and money out.

Data, apart from the rules that use it: a new language is more words here and nothing else. All are folded: lower case,
no accents, only letters and digits. Rank 0 is the best name for a role; a higher one is taken where no better is.
"""

import functools
import re
import unicodedata

DATE, DESCRIPTION, AMOUNT, DEBIT, CREDIT = "date", "description", "amount", "debit", "credit"
BALANCE, FEE, CURRENCY, STATUS, CHECK, DIRECTION = "balance", "fee", "currency", "status", "check", "direction"

_NOT_WORD = re.compile(r"[^a-z0-9]+")
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "\u0131": "i"})


@functools.lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """`  Währung (EUR)` → `wahrung eur`."""
    if text.isascii():
        return _NOT_WORD.sub(" ", text.lower()).strip()
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    letters = (char if char.isalnum() else " " for char in plain if not unicodedata.combining(char))
    return " ".join("".join(letters).split())


def listed(text: str) -> list[str]:
    """The words of a list that is written as `a|b|c`."""
    return text.split("|")


def _ranked(*ranks: str) -> dict[str, int]:
    return {fold(word): rank for rank, words in reversed(list(enumerate(ranks))) for word in listed(words)}


# Role -> whole header -> rank.
HEADERS: dict[str, dict[str, int]] = {
    DATE: _ranked(
        "date|datum|fecha|data|dato|transaction date|trans date|tran date|txn date|date of transaction|tanggal|dag"
        "|transactiondate|transaktionsdatum|datum transaktion|date operation|date de l operation|date d operation"
        "|date de transaction|date transaction|fecha operacion|fecha de operacion|fecha de la operacion|f operacion"
        "|fecha transaccion|data operazione|data transazione|data da operacao|data movimento|data mov|data operacao"
        "|data transakcji|data operacji|datum transactie|transactiedatum|datum transakce|datum provedeni|tarih|paiva"
        "|paivamaara|kuupaev|transaktionsdag|kopdatum|kaufdatum|transaction date and time|purchase date"
        "|date time|datetime|date and time|date created",
        "posting date|posted date|post date|posted|date posted|posted on|posted transaction date|booking date|booked"
        "|buchungstag|buchungsdatum|buchung|buchungstag|datum der buchung|boekdatum|boekingsdatum|bokforingsdag"
        "|bokforingsdatum|bokfort|bogfort|bogforingsdato|bokforingsdato|date comptable|date de comptabilisation"
        "|fecha contable|fecha de contabilizacion|data contabile|data lancamento|data do lancamento|data ksiegowania"
        "|datum zauctovani|kirjauspaiva|completed date|date completed|completed|completed on|settlement date"
        "|settled date|clearing date|cleared date|effective date|entry date|process date|processed date|bookingdate",
        "value date|valuta|valutadatum|wertstellung|wertstellungsdatum|date de valeur|date valeur|fecha valor"
        "|data valuta|data valor|rentedatum|rentedato|valutadag|value|valor|arvopaiva|data waluty",
        "started date|start date|date started|initiated|timestamp|time|created|created on|created at|recorded at"
        "|authorised date|authorized date",
    ),
    DESCRIPTION: _ranked(
        "description|transaction description|descriptions|narrative|narration|descripcion|descrizione|descricao"
        "|beschreibung|omschrijving|beskrivelse|beskrivning|verwendungszweck|libelle|libelle operation|intitule"
        "|libelle de l operation|concepto|causale|operazione|historico|opis|opis operacji|opis transakcji|popis"
        "|selite|selgitus|aciklama|payee|payee name|merchant|merchant name|name|transaction details"
        "|particulars|transaction narrative|remarque|bezeichnung|empfanger|empfangername"
        "|auftraggeber empfanger|beguenstigter zahlungspflichtiger|begunstigter zahlungspflichtiger|leverantor"
        "|name zahlungsbeteiligter|partner name|partner|counter party|zahlungsempfanger|beneficiaire"
        "|beneficiario|counterparty|counterparty name"
        "|tegenpartij|naam tegenpartij|naam omschrijving|kontrahent|merchant description|appears on your statement as",
        "details|transaction|tekst|text|memo|note|notes|reference|buchungstext|mitteilung|mededelingen|zahlungszweck"
        "|original description|raw description|extended details|additional info|buchungsdetails"
        "|details de l operation|communication|informacion|observaciones|meddelande|melding|zusatztext"
        "|avisierungstext|activity|action|zprava|title|titel"
        "|detalle|detalles|dettagli|statement description|movimento|movimiento|lancamento|to|from|to from",
        "",
        "",
        "type|transaction type|category|umsatzart|vorgang|art|typ|tipo|kind|code|categorie|kategorie|mode",
    ),
    AMOUNT: _ranked(
        "amount|net amount|net|transaction amount|amount total|total amount|betrag|betrag eur|umsatz|montant|importe"
        "|importo|valor|bedrag|belopp|belob|belop|kwota|kwota operacji|summa|suma|castka|objem|maara|tutar|monto"
        "|cantidad|quantia|amt|txn amount|billing amount|billed amount|account amount|booked amount|paid amount"
        "|montant de l operation|montant net|importe eur|netto|nettobetrag|transaktionsbetrag|sum|transactionamount",
        "value|wert|amount paid|money|montante|prix|item total|activity amount|trans amount",
        "gross|gross amount|brutto|bruttobetrag|brut|total|bruto",
    ),
    DEBIT: _ranked(
        "debit|debits|debit amount|debit amt|amount debit|withdrawal|withdrawals|withdrawal amount|withdrawal amt"
        "|withdrawn|paid out|money out|out|amount out|outgoing|outflow|spent|spending|charge|charges|expense|expenses"
        "|soll|lastschrift|belastung|belastungen|ausgang|ausgange|ausgabe|ausgaben|abgang|debito|debitos|debe|cargo"
        "|cargos|gasto|gastos|retiro|retiros|salida|salidas|addebito|addebiti|uscite|uscita|dare|debet|af|afgeschreven"
        "|uitgaven|uit|ut|ut fra konto|uttag|ud|depense|depenses|sortie|sorties|retrait|retraits|saida|saidas"
        "|obciazenia|obciazenie|wydatki|vydaje|otto|money spent|withdrawal dr|dr|debit dr|paid out gbp",
    ),
    CREDIT: _ranked(
        "credit|credits|credit amount|credit amt|amount credit|deposit|deposits|deposit amount|deposit amt|deposited"
        "|paid in|money in|in|amount in|incoming|inflow|received|income|receipt|receipts|haben|gutschrift"
        "|gutschriften|eingang|eingange|einnahme|einnahmen|zugang|credito|creditos|haber|abono|abonos|ingreso"
        "|ingresos|deposito|depositos|entrada|entradas|accredito|accrediti|entrate|entrata|avere|kredit|bij"
        "|bijgeschreven|inkomsten|inn|inn pa konto|insattning|ind|recette|recettes|entree|entrees|versement"
        "|uznania|uznanie|wplywy|prijmy|pano|money received|deposit cr|cr|credit cr",
    ),
    BALANCE: _ranked(
        "balance|running balance|running bal|runningbalance|bal|account balance|balance after|new balance|saldo"
        "|saldo nach buchung|saldo nach umsatz|kontostand|solde|solde apres operation|saldo disponible|saldo contabile"
        "|saldo po operacji|saldo depois|stand|balance amount|saldo eur|zustatek|bakiye|saldi",
        "ending balance|closing balance|current balance|available balance|ledger balance|book balance|saldo final",
    ),
    FEE: _ranked("fee|fees|transaction fee|fee amount|amount fee|gebuhr|gebuhren|frais|comision|commissione|taxa"),
    CURRENCY: _ranked(
        "currency|currency code|ccy|cur|curr|wahrung|waehrung|devise|moneda|divisa|valuta|moeda|munt|waluta|mena"
        "|valuutta|transaction currency|account currency|billing currency|monnaie|currencycode"
    ),
    STATUS: _ranked(
        "status|state|transaction status|statut|estado|stato|zustand|transaction state|tila|stav|umsatzstatus"
    ),
    CHECK: _ranked(
        "check|check number|check no|check num|checknumber|check or slip|cheque|cheque number|cheque no|chq no|chq"
        "|check slip|check serial number|cheque num|chequenumber|scheck nr|numero de cheque|chk ref|chk"
    ),
}  # fmt: skip  a word per line would fill pages
# Words that make a longer header a role's: `Betrag (EUR)`, `Date of posting`; unless one of the others is in it.
CONTAINED = {
    DATE: {"date", "datum", "fecha", "data", "dato", "buchungstag", "valuta"},
    AMOUNT: {"amount", "betrag", "montant", "importe", "importo", "bedrag", "belopp", "belob", "kwota", "amt", "monto"},
    BALANCE: {"balance", "saldo", "solde", "kontostand", "bal"},
    DEBIT: {"debit", "withdrawal", "withdrawals", "debito", "addebito", "belastung", "lastschrift", "depense", "debe"},
    CREDIT: {"credit", "deposit", "deposits", "credito", "accredito", "gutschrift", "recette", "haber", "abono"},
    DESCRIPTION: {"description", "name", "narrative", "merchant", "payee", "verwendungszweck", "libelle", "concepto",
                  "descripcion", "omschrijving", "details", "empfanger", "memo", "beschreibung", "buchungstext"},
    FEE: {"fee", "fees", "gebuhr"},
    CURRENCY: {"currency", "wahrung", "devise"},
}  # fmt: skip
NOT_CONTAINED = {"foreign", "original", "local", "tax", "vat", "gst", "exchange", "rate", "points", "rewards", "limit",
                 "account", "konto", "card", "karte", "id", "number", "nr", "no", "iban", "bic", "fremdwahrung",
                 "ursprung", "user", "username", "period", "disclaimer", "base", "tip", "discount", "code", "type",
                 "from", "to", "destination", "source", "cost", "price", "quantity", "due", "birth"}  # fmt: skip
FILLER = {"in", "of", "the", "de", "en", "usd", "eur", "gbp", "chf", "cad", "aud", "nzd", "sek", "nok", "dkk", "pln",
          "czk", "jpy", "inr", "brl", "mxn", "sgd", "hkd", "zar"}  # fmt: skip
# Whose card it was: with it a bill tells cards apart that are paid from one account.
CARD_MEMBER = {"card member", "cardmember", "card holder", "cardholder", "cardholder name"}
# Headers only a card's export has: whose card, which card.
CARD = CARD_MEMBER | {"card no", "card number", "card name"}
# Where day comes before month; Canada, for one, writes both.
DAY_FIRST_CURRENCIES = {
    "EUR",
    "GBP",
    "CHF",
    "AUD",
    "NZD",
    "INR",
    "DKK",
    "NOK",
    "PLN",
    "CZK",
    "BRL",
    "TRY",
    "RON",
    "AED",
}
US_HEADERS = {
    "check",
    "check number",
    "check no",
    "check num",
    "check or slip",
    "check serial number",
    "zip",
    "zip code",
}

# Values of a column that say in which direction the money went.
DIRECTIONS = {
    **dict.fromkeys(
        listed(
            "debit|debits|db|dbit|dr|d|out|af|withdrawal|expense|soll|s|lastschrift|belastung|debito|debet|cargo"
            "|addebito|dare|debe|sortie|uscita|salida|saida|money out|paid out|outgoing|payment sent|sent"
            "|ausgang|uit|withdraw|spend|gasto|depense|ausgabe|deebet"
        ),
        -1,
    ),
    **dict.fromkeys(
        listed(
            "credit|credits|cr|crdt|c|in|bij|deposit|income|haben|h|gutschrift|credito|kredit|abono|accredito|avere"
            "|haber|entree|entrata|entrada|money in|paid in|incoming|payment received|received|eingang|k"
            "|einnahme|ingreso|recette|topup|top up|kreedit"
        ),
        1,
    ),
}
# Values that suggest one: a shop's refund leaves its account, a customer's comes in.
LIKELY_DIRECTIONS = {
    **dict.fromkeys(listed("purchase|debit card|fee|fees|charge|interest charge|tax|atm|pos|gebuhr|commission"), -1),
    **dict.fromkeys(listed("refund|return|interest|payment|sale|dividend|cashback|zinsen|reversal"), 1),
}
# Values that say neither, and read like no booking at all.
MEMO = set(
    listed(
        "memo|authorisation|authorization|general authorization|pre authorization|hold|account hold|pending|info"
        "|information|notice|vormerkung|vorgemerkt|reserviert|autorisierung|autorisation|autorizacion|preautorizacion"
        "|autorizzazione|autorizacao|autoryzacja|blokada|autorizace|reservering|reservation|reserva|varaus|notiz"
    )
)
DIRECTION_HEADERS = set(
    listed(
        "type|transaction type|debit credit|credit debit|dr cr|cr dr|d c|c d|dc|s h|soll haben|af bij|bij af|sens"
        "|direction|in out|indicator|umsatzart|typ|tipo de movimiento|type operation|kind"
        "|debit credit indicator|credit debit indicator|tipo|art|side"
    )
)
SIGN_CELLS = {"-": -1, "+": 1}

DONE = set(
    listed(
        "completed|complete|cleared|posted|settled|booked|ok|success|successful|paid|processed|approved|done|executed"
        "|final|gebucht|erledigt|ausgefuhrt|abgeschlossen|termine|comptabilise|completado|contabilizado|verbucht"
        "|contabilizzato|eseguito|uitgevoerd|bokford|succeeded|issued|partially refunded|refunded|received"
    )
)
NOT_DONE = set(
    listed(
        "reverted|failed|declined|cancelled|canceled|rejected|denied|void|voided|expired|pending|in progress"
        "|processing|authorised|authorized|scheduled|not posted|unposted|vorgemerkt|ausstehend|storniert|abgelehnt"
        "|en attente|annule|refuse|pendiente|cancelado|rechazado|in attesa|annullato|reserved|hold|on hold|draft"
        "|incomplete|removed|blocked|initiated|offen|upcoming"
    )
)

# Titles between the rows: the rows below are not booked yet, or are booked.
PENDING = re.compile(
    r"\b(?:pending|unposted|unbooked|uncleared|unsettled|not (?:yet )?(?:posted|booked|cleared)"
    r"|authori[sz]ations?|holds?"
    r"|scheduled|upcoming|processing|in progress|vorgemerkt\w*|vormerk\w*|ausstehend\w*|offene?"
    r"|nicht gebucht\w*|geplant\w*"
    r"|en attente|en cours|a venir|non comptabilise\w*|pendientes?|en proceso|retenid\w*|in attesa|non contabilizzat\w*"
    r"|pendentes?|a processar|oczekujac\w*|blokad\w*|nierozliczon\w*|cekajici|nezauctovan\w*|gereserveerd\w*"
    r"|nog niet verwerkt|in behandeling|openstaand\w*|reserverade?|preliminara?|kommande|odottav\w*|katevarau\w*"
    r"|bekleyen|varattu\w*)\b"
)
BOOKED = re.compile(
    r"\b(?:posted|booked|cleared|settled|completed|history|gebucht\w*|verbucht\w*|comptabilisee?s?|contabilizad\w*"
    r"|contabilizzat\w*|zaksiegowan\w*|zauctovan\w*|verwerkt\w*|bokford\w*|bogfort\w*|bokfort\w*|kirjat\w*)\b"
)

# A row that only tells a balance, or a total. A debt may also be carried over: where it has an amount, a person is
# asked.
_AS_OF = r"(?: (?:as of|on|at|am|per|vom|zum|au|al|del|as at)\b.*| \d.*)?"
_BALANCE_ROW = re.compile(
    r"(?:(?:opening|beginning|starting|start|closing|ending|end|final|current|available|account|running"
    r"|initial|previous"
    r"|prior|last month s|last statement|brought forward|carried forward|new|b f|c f) balance"
    r"|balance(?: (?:brought forward|carried forward|b f|c f|forward))?|brought forward|carried forward|b f|c f"
    r"|anfangssaldo|endsaldo|schlusssaldo|anfangsbestand|endbestand|alter kontostand|neuer kontostand|kontostand"
    r"|saldo|saldovortrag|vortrag|ubertrag|s a l d o|solde|(?:ancien|nouveau) solde|report(?: a nouveau)?|a reporter"
    r"|solde (?:initial|final|precedent|crediteur|debiteur)|beginsaldo|eindsaldo|saldi"
    r"|saldo (?:anterior|inicial|final|iniziale|finale|contabile|do dia|actual|precedente|poczatkowe|koncowe)"
    r"|ingaende (?:saldo|balans)|utgaende (?:saldo|balans)|alkusaldo|loppusaldo|(?:pocatecni|konecny) zustatek"
    r"|acilis bakiyesi|kapanis bakiyesi|nyito egyenleg|zaro egyenleg)" + _AS_OF
)
_BALANCE_WORD = re.compile(
    r"\b(?:balances?|\w*saldo\w*|saldi|soldes?|kontostand|\w*vortrag|ubertrag|zustatek|zostatok|egyenleg"
    r"|bakiye\w*|stanje"
    r"|likutis|atlikums|brought forward|carried forward|(?:anfangs|end)bestand|balans|sold|сальдо"
    r"|остаток|баланс|υπολοιπο)\b"
)
LONGEST_BALANCE_TITLE = 6  # words; more are a purchase that has a balance in it
_TOTAL = (
    r"(?:(?:grand |sub)?totals?|sub total|sum|sums|summe|zwischensumme|gesamt|gesamtsumme|gesamtbetrag"
    r"|somme|totaux|totale"
    r"|totali|totales|suma|razem|lacznie|ogolem|celkem|spolu|totaal|totalt|sammanlagt|i alt|ialt|yhteensa"
    r"|toplam|osszesen"
    r"|ukupno|kokku|viso|kopa|итого|всего|συνολο)"
)
_TOTAL_ONLY = re.compile(_TOTAL)
_TOTAL_IN = re.compile(rf"{_TOTAL}\b.*|[^\W\d_][^\d_]{{0,40}} totals?")
_TOTAL_ROW = re.compile(
    _TOTAL_IN.pattern + r"|(?:number of|no of|count of|anzahl|end of|ende der|disclaimer|please note|note|\* note)\b.*"
)


def tells_balance(title: str) -> bool:
    """A row of this text only tells a balance, if it is no transaction."""
    return bool(_BALANCE_ROW.fullmatch(title))


def tells_total(title: str) -> bool:
    """A line of this text and without a date is a total or a remark, if the rows do not speak against it."""
    return bool(_TOTAL_ROW.fullmatch(title))


def may_tell_balance(title: str) -> bool:
    """The words of a row that has a date and an amount leave open whether it is a transaction."""
    short = len(title.split()) <= LONGEST_BALANCE_TITLE and bool(_BALANCE_WORD.search(title))
    return short or tells_balance(title) or bool(_TOTAL_ONLY.fullmatch(title))


def may_tell_total(title: str) -> bool:
    """Likewise, if its amount is the sum of others: a purchase from Total need not be."""
    return bool(_TOTAL_IN.fullmatch(title))


_IN = (
    r"payroll|salary|salaries|wages|direct dep(?:osit)?|dir dep|paycheck|deposit|refund|cash ?back"
    r"|interest (?:paid|earned|payment|credit|received)|payment received"
    r"|reimbursement|rebate|dividend|tax ?(?:rfd|refund)|taxrfd"
    r"|transfer (?:in|from)|payment from|received from|from savings|cash in|top up|merchandise credit|statement credit"
    r"|payments and credits|gehalt|lohn|lohnzahlung|gutschrift|ruckerstattung|erstattung|zinsertrag|salaire|paie"
    r"|remboursement|virement (?:recu|de)|nomina|salario|sueldo|devolucion|reembolso|abono|ingreso|stipendio"
    r"|accredito|rimborso|salaris|loon|terugbetaling|ordenado|wynagrodzenie|gaji"
)
# Not what was bought: a coffee may also be refunded, and who sells it earns by it.
_OUT = (
    r"purchase|pos|checkcard|debit card|withdrawal|atm|service fee|maintenance fee|annual fee|late fee|monthly fee"
    r"|overdraft|foreign transaction fee|interest charged?|purchase interest|finance charge|direct debit"
    r"|bill pay(?:ment)?|transfer (?:out|to)|payment to|sent to|to savings|check paid|mortgage|insurance|utilities"
    r"|electricity|miete|lastschrift|abbuchung|bargeldauszahlung|geldautomat|einkauf|kartenzahlung|strom|versicherung"
    r"|loyer|retrait|prelevement|achat|carte|virement (?:vers|a)|assurance|facture|alquiler|compra|recibo|retirada"
    r"|cajero|hipoteca|affitto|prelievo|acquisto|pagamento|bolletta|huur|incasso|pinbetaling|geldopname|sale|hyra"
    r"|husleje|aluguel|czynsz"
)
MONEY_IN = re.compile(rf"\b(?:{_IN})\b")
MONEY_OUT = re.compile(rf"\b(?:{_OUT})\b")
# Money out although a word of money in is in it.
NOT_MONEY_IN = re.compile(
    r"\b(?:security deposit|deposit account|to deposit|refund fee|direct deposit fee|salary advance)\b"
)
# Only the bank of a card says thank you for a payment.
CARD_PAYMENT = re.compile(r"\b(?:auto)?(?:pay|payment|pymt|pmt|directpay)\b.{0,40}\bthank ?you\b")

_STATES = (
    "AL|AK|AZ|AR|CA|CO|CT|DE|FL|GA|HI|ID|IL|IN|IA|KS|KY|LA|ME|MD|MA|MI|MN|MS|MO|MT|NE|NV|NH|NJ|NM|NY|NC|ND|OH|OK|OR|PA"
    "|RI|SC|SD|TN|TX|UT|VT|VA|WA|WV|WI|WY|DC"
)
US_STATES = set(listed(_STATES))
US_PLACE = re.compile(rf"\S+ (?:{_STATES})(?: \d{{5}}| US| USA| CARD .{{1,8}})?$")

MONTHS = {
    fold(name): number
    for number, names in enumerate((
        "jan|january|januar|janner|jaenner|janvier|janv|enero|ene|gennaio|gen|januari|janeiro|stycznia|leden|ledna",
        "feb|february|februar|fevrier|fevr|fev|febrero|febbraio|februari|fevereiro|lutego|unora",
        "mar|march|marz|maerz|mrz|mars|marzo|maart|mrt|marco|marca|brezna",
        "apr|april|avril|avr|abril|abr|aprile|kwietnia|dubna",
        "may|mai|mayo|maggio|mag|mei|maj|maio|maja|kvetna",
        "jun|june|juni|juin|junio|giugno|giu|junho|czerwca|cervna",
        "jul|july|juli|juillet|juil|julio|luglio|lug|julho|lipca|cervence",
        "aug|august|aout|agosto|ago|augustus|augusti|sierpnia|srpna",
        "sep|sept|september|septembre|septiembre|settembre|set|setembro|wrzesnia|zari",
        "oct|october|oktober|okt|octobre|octubre|ottobre|ott|outubro|out|pazdziernika|rijna",
        "nov|november|novembre|noviembre|novembro|listopada|listopadu",
        "dec|december|dezember|dez|decembre|diciembre|dic|dicembre|dezembro|des|desember|grudnia|prosince",
    ), start=1)
    for name in names.split("|")
}  # fmt: skip
