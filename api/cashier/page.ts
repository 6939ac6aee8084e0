/** Renders what every page of the cashier has: names of coins, forms, help, and the way back to the shop. */

import type { Coin, Network, Networks } from '../../domain/chain/network.js'
import { COPY, openAsset } from '../pages/assets.js'
import { type LanguageChoice, renderDocument } from '../pages/document.js'
import { type Content, exact, fill, Html, html } from '../pages/html.js'
import { inWords } from '../pages/in-words.js'
import { formatTime, LANGUAGE_NAMES, type Language } from '../pages/language.js'
import { formToken } from './forms.js'
import type { Session } from './session.js'
import type { CashierWords } from './words/en.js'
import { CASHIER_WORDS } from './words.js'

/** Script of every page of the cashier. */
export const CASHIER_SCRIPT = openAsset(new URL('./browser/cashier.js', import.meta.url))

/** What every part of a page needs. */
export interface View {
  readonly session: Session
  readonly language: Language
  readonly words: CashierWords
}

/** Coin that a page offers. */
export interface OfferedCoin {
  readonly network: Network
  readonly coin: Coin
  /** Names for people. */
  readonly names: { readonly coin: string; readonly network: string }
}

/** Creates the view of a session. */
export function viewOf(session: Session, language: Language): View {
  return { session, language, words: CASHIER_WORDS[language] }
}

/** Returns the coins of a session that are enabled, in the order of the configuration. */
export function offeredCoins(
  networks: Networks,
  { coins }: Session,
  enabled: readonly { readonly network: string; readonly coin: string }[],
): readonly OfferedCoin[] {
  const includes = (list: typeof enabled, network: string, coin: string) =>
    list.some((each) => each.network === network && each.coin === coin)
  return [...networks.values()].flatMap((network) =>
    network.coins
      .filter(({ name }) => includes(enabled, network.name, name))
      .filter(({ name }) => coins === null || includes(coins, network.name, name))
      .map((coin) => withNames(network, coin)),
  )
}

/** Returns a coin with its names for people. */
export function withNames(network: Network, coin: Coin): OfferedCoin {
  return { network, coin, names: { coin: coin.name.toUpperCase(), network: inWords(network.name) } }
}

/** Renders the whole page. @param main - `<main>`. @param languageChoice - Absent: links. */
export function renderPage(
  { session, language, words }: View,
  title: Html,
  main: Html,
  languageChoice?: LanguageChoice,
): string {
  const { merchant_name: name, merchant_colour: colour, return_url: back, expires_at: end } = session
  const time = html`<time datetime="${end.toISOString()}"><bdi>${formatTime(language, end)}</bdi></time>`
  return renderDocument({
    language,
    title: html`${new Html(title.text.replace(/<[^>]*>/g, ''))} · ${name}`,
    name,
    colour,
    scripts: [COPY.path, CASHIER_SCRIPT.path],
    main,
    help: html`
${back !== null && html`<p><a href="${exact(back)}" rel="noreferrer">${fill(words.back, { name: html`<bdi>${name}</bdi>` })}</a></p>`}
<p>${fill(words.time, { time })}</p>`,
    ...(languageChoice ? { languageChoice } : {}),
  })
}

/** Renders a form with its token. @param fields - Hidden fields. @param id - Needed by `languageButtons`. */
export function form(
  { session }: View,
  action: string,
  fields: Readonly<Record<string, string>>,
  content: Content,
  id?: string,
): Html {
  const hidden = Object.entries({ token: formToken(session), ...fields }).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${exact(value)}">`,
  )
  return html`<form method="post" action="${action}"${id && html` id="${id}"`}>${hidden}${content}</form>`
}

/**
 * Returns buttons that send a form as it is filled in, to an address that shows it again in the chosen
 * language.
 *
 * @param field - Field that they send besides.
 */
export function languageButtons(formId: string, action: string, field?: 'edit'): LanguageChoice {
  const besides = field && html` name="${field}" value="true"`
  return (language, spoken) =>
    html`<button form="${formId}" formaction="${action}?lang=${language}" formnovalidate${besides}${spoken}>${LANGUAGE_NAMES[language]}</button>`
}

/** Renders the button that copies, which the script shows. */
export function copyButton({ words }: View, label: string, text: string): Html {
  return html`<button type="button" hidden data-copy="${exact(text)}" data-copied="${words.copied}">${label}</button>`
}

/** Renders one coin of several, which opens when it is chosen. The heading of a single one is open. */
export function coinPart(title: Content, isOpen: boolean, content: Content): Html {
  return html`<details class="coin" name="coin"${isOpen && html` open`}><summary>${title}</summary>${content}</details>`
}
