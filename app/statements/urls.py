from django.urls import path

from statements import views

urlpatterns = [
    path("", views.upload, name="upload"),
    path("<int:pk>/original/", views.original, name="original"),
]
