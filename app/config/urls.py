"""Addresses. The health pages are not here: config/health.py answers them earlier."""

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import views as auth
from django.urls import include, path

sign_in = auth.LoginView.as_view(template_name="sign_in.html", redirect_authenticated_user=True)

urlpatterns = [
    path("sign-in/", sign_in, name="sign-in"),
    path("sign-out/", auth.LogoutView.as_view(), name="sign-out"),
    path("admin/", admin.site.urls),
    path("api/", include("api.urls")),
    path("statements/", include("statements.urls")),
    path("", include("ledger.urls")),
]

if settings.TOOLBAR:
    from debug_toolbar.toolbar import debug_toolbar_urls

    urlpatterns += debug_toolbar_urls()

handler500 = "config.errors.server_error"
