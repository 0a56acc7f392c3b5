from django.urls import path

from statements import views

urlpatterns = [
    path("", views.upload, name="upload"),
    path("answer/", views.answer, name="answer"),
    path("<int:pk>/original/", views.original, name="original"),
]
