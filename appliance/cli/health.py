"""`appliance health`: the health check of a container, whatever port and protocol the service was given."""

import os

import click

from appliance.cli.options import WITH_SETTINGS, settings_argument


@click.command(epilog="Example:  appliance health Http:Port=5001", context_settings=WITH_SETTINGS)
@settings_argument
@click.pass_context
def health(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Say whether the service of this container is ready; exit status 0 or 1.

    Settings are those that it was started with. Where only callers with a certificate are answered, it is
    healthy if it asks for one.
    """
    from appliance.config.settings import Settings
    from appliance.doctor.probe import port
    from appliance.host.main_process import served_words

    settings = Settings.read([*served_words(), *words], os.environ)
    fact = port(settings.host, settings.port, tls=settings.tls_certificate is not None)
    if fact.ready or fact.closed:
        click.echo(f"{fact.address} is ready")
        return
    click.echo(fact.message or f"nobody answers at {fact.address}", err=True)
    ctx.exit(1)
