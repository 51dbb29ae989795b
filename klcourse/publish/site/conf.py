"""What Sphinx is told: read the staged pages, execute nothing, load nothing from the network."""

project = "KL vanishing"
author = "klcourse contributors"
copyright = author
language = "en"
html_title = "KL vanishing"

extensions = ["myst_nb"]
templates_path = ["_templates"]
exclude_patterns: list[str] = []
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
myst_all_links_external = True  # stage.py has made pages of them, links.py checks them

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]  # of the staged pages: __main__.py makes them the source folder and this the configuration
html_css_files = ["site.css", "explorers/explorer.css"]
html_theme_options = {
    "home_page_in_toc": True,
    "article_header_end": ["language.html", "article-header-buttons.html"],
    "navbar_persistent": [],  # or there is a second search box in a bar of its own
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": True,
    "use_fullscreen_button": False,
    "use_source_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_context = {"default_mode": "auto"}  # light or dark as the reader's system is
# Without the theme's logo, which is the page's name once more and in no landmark.
html_sidebars = {"**": ["search-button-field.html", "sbt-sidebar-nav.html"]}
html_js_files = ["site.js"]
html_show_sourcelink = False
html_copy_source = True  # what the download button gives; __main__.py puts the notebooks themselves there
html_last_updated_fmt = None

mathjax_path = "mathjax/tex-svg-full.js"
mathjax3_config = {"svg": {"fontCache": "global"}, "options": {"enableMenu": False}}


def setup(app):
    """Let the search find Chinese."""
    from sphinx.search.zh import SearchChinese

    from klcourse.publish.site.search import SPLIT_QUERY, pieces

    class Pairs(SearchChinese):
        """Pairs of characters for words: no dictionary is needed, here or in the browser."""

        language_name = "English"  # of the stemmer: Sphinx 9.0 sends the English one and asks the browser for a Chinese one
        js_splitter_code = SPLIT_QUERY

        def split(self, input: str) -> list[str]:
            """Characters, pairs and words of a text."""
            found = pieces(input)
            self.latin_terms.update(piece for piece in found if piece.isascii())
            return found

        def word_filter(self, stemmed_word: str) -> bool:
            """What goes into the index: all of Chinese, and what is longer than a letter."""
            return len(stemmed_word) > 1 or not stemmed_word.isascii()

    app.add_search_language(Pairs)
