from django.urls import path

from statements import views

urlpatterns = [
    path("", views.upload, name="upload"),
    path("answer/", views.answer, name="answer"),
    path("answer/<int:pk>/", views.answer, name="answer-file"),
    path("remembered/<int:pk>/forget/", views.forget, name="forget-answers"),
    path("<int:pk>/", views.imported, name="import"),
    path("<int:pk>/undo/", views.undo, name="undo-import"),
    path("<int:pk>/original/", views.original, name="original"),
]
