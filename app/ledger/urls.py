from django.urls import path

from ledger import views

urlpatterns = [
    path("", views.transactions, name="transactions"),
    path("transactions/add/", views.add_transaction, name="add-transaction"),
    path("transactions/<int:pk>/", views.transaction, name="transaction"),
    path("accounts/add/", views.add_account, name="add-account"),
]
