"""gitweb and cgit by CGI, as a browser sees them."""
import pytest

from browser import Browser, needs_browser
from scripts import Scripts, cgi
from test_cgi_clients import CGIT, GITWEB, Repository, needs_file
from web import http, put

pytestmark = needs_browser


def site_of(name, script, config, css):
    """The program below /NAME/, and its styles below /css/."""
    variable, file, text = config
    section = cgi(f'environment = {{ "{variable}={{dir}}/{file}" }}', prefix=f'/{name}/',
                  where=f'script = "{script}"')
    site = Scripts({}, conf=http(section, f'alias "/css/" {{ path = "{css}" }}', cgi(),
                                 options=('workers = 12',)))
    repository = Repository(site)
    put(site.dir / file, text.replace('{dir}', str(site.dir)).replace('{bare}', str(repository.bare)).encode())
    return site


SITES = {
    'gitweb': (GITWEB, ('GITWEB_CONFIG', 'gitweb.conf',
                        '$projectroot = "{dir}/git";\n@stylesheets = ("/css/gitweb.css");\n$javascript = "/css/gitweb.js";\n'
                        '$logo = "/css/git-logo.png";\n$favicon = "/css/git-favicon.png";\n'),
               '/usr/share/gitweb/static', '?p=repo.git;a=shortlog'),
    'cgit': (CGIT, ('CGIT_CONFIG', 'cgitrc',
                    'virtual-root=/cgit/\ncache-size=0\ncss=/css/cgit.css\nlogo=/css/cgit.png\nfavicon=/css/favicon.ico\n'
                    'repo.url=repo\nrepo.path={bare}\n'),
             '/usr/share/cgit', 'repo/log/'),
}


@pytest.mark.parametrize('name', [pytest.param(name, marks=needs_file(site[0])) for name, site in SITES.items()])
def test_the_pages_of_a_repository(name):
    script, config, css, log = SITES[name]
    with site_of(name, script, config, css) as site, Browser() as browser:
        base = f'http://127.0.0.1:{site.port("web")}/{name}/'
        for target in '', log:
            page = browser.fresh_page()
            page.visit(base + target)
            statuses = {url: answer.status for url, answer in page.answers.items()}
            assert set(statuses.values()) == {200}, statuses
            assert len(statuses) > 2 and any('/css/' in url for url in statuses)
            text = page.run('document.body.innerText')
            page.close()
        assert 'add README' in text
