from django.urls import path

from api import views

urlpatterns = [
    path("search", views.search, name="api-search"),
    path("signed-in", views.signed_in, name="api-signed-in"),
]
