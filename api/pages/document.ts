/** Makes the document around the main part of a page. */

import { colourPath, STYLE } from './assets.js'
import { type Content, type Html, html } from './html.js'
import { directionOf, LANGUAGE_NAMES, LANGUAGES, type Language } from './language.js'
import { PAGE_WORDS } from './words.js'

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
}

/** Returns the page as text. */
export function renderDocument(page: Document): string {
  const { language, colour } = page
  const others = LANGUAGES.map((each) =>
    each === language
      ? html`<li><span aria-current="true" lang="${each}">${LANGUAGE_NAMES[each]}</span></li>`
      : html`<li><a href="?lang=${each}" hreflang="${each}" lang="${each}" dir="${directionOf(each)}">${LANGUAGE_NAMES[each]}</a></li>`,
  )
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
<nav aria-label="${PAGE_WORDS[language].language}"><ul>${others}</ul></nav>
</footer>
</body>
</html>
`.text
}
