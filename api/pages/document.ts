/** Makes the document around the main part of a page. */

import { colourPath, STYLE } from './assets.js'
import { type Content, exact, type Html, html } from './html.js'
import { directionOf, LANGUAGE_NAMES, LANGUAGES, type Language } from './language.js'
import { PAGE_WORDS } from './words.js'

/** Renders the element by which a reader chooses another language. @param spoken - Attributes of its name. */
export type LanguageChoice = (language: Language, spoken: Html) => Html

export interface Document {
  readonly language: Language
  readonly title: Content
  /** Name in the head of the page. `null` on a page that belongs to no merchant. */
  readonly name: string | null
  /** Colour of the head, `#` and six hex digits. `null` for ours. */
  readonly colour: string | null
  /** Paths of the page's modules. */
  readonly scripts: readonly string[]
  /** `<main>`. */
  readonly main: Html
  /** Help under the main part. */
  readonly help?: Content
  /** By default a link to the page without its query. */
  readonly languageChoice?: LanguageChoice
}

/** Returns links to the page with these query fields. Absent ones are left out. */
export function languageLinks(query: Readonly<Record<string, string | undefined>>): LanguageChoice {
  return (language, spoken) => {
    const fields = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) if (value !== undefined) fields.set(name, value)
    fields.set('lang', language)
    return html`<a href="${exact(`?${fields}`)}" hreflang="${language}"${spoken}>${LANGUAGE_NAMES[language]}</a>`
  }
}

/** Returns the page as text. */
export function renderDocument(page: Document): string {
  const { language, colour, languageChoice = languageLinks({}) } = page
  const languages = LANGUAGES.map((each) => {
    const spoken = html` lang="${each}" dir="${directionOf(each)}"`
    const isShown = each === language
    return html`<li>${isShown ? html`<span aria-current="true"${spoken}>${LANGUAGE_NAMES[each]}</span>` : languageChoice(each, spoken)}</li>`
  })
  return html`<!doctype html>
<html lang="${language}" dir="${directionOf(language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${page.title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${STYLE.path}">
${colour !== null && html`<link rel="stylesheet" href="${colourPath(colour)}">`}
${page.scripts.map((path) => html`<script type="module" src="${path}"></script>`)}
</head>
<body>
${page.name !== null && html`<header><p><bdi>${page.name}</bdi></p></header>`}
${page.main}
<p id="news" class="unseen" role="status"></p>
<footer>
${page.help}
<nav aria-label="${PAGE_WORDS[language].language}"><ul>${languages}</ul></nav>
</footer>
</body>
</html>
`.text
}
