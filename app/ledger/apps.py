from django.apps import AppConfig


class LedgerConfig(AppConfig):
    name = "ledger"
    verbose_name = "Ledger"

    def ready(self) -> None:
        from config import sign_ins  # noqa: F401  its receivers are connected by the import, which needs the models
