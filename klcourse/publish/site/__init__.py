"""The course as a static site that works from a folder, with the network cut off: `make site`.

    stage    notebooks -> pages that Sphinx can read: links between them, figures as files, folded code
    terms    the first use of a term on a page leads to the glossary, and the glossary leads back
    conf     what Sphinx is told; site.css: what the theme does not do
    chinese  the pages that exist in Chinese, from the catalogue in locale/; blocks: what is one text of it
    po       catalogues; messages: the command that brings it up to date and says what waits for a translator
    search   Chinese in the search
    links    every link and anchor of the finished site leads somewhere

Sphinx with myst-nb and the book theme, because they render stored outputs without a kernel, search without a server, and
bring their scripts and fonts along. They live in an environment of their own (requirements.txt beside this file, no
PyTorch), so these modules need the standard library and nbformat and nothing else.
"""
