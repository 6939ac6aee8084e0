/** Renders an address in groups, which are easier to compare. */

import { type Html, html } from './html.js'

/** Characters of a group. */
const GROUP = 4

/** Returns the groups, which are one text without spaces when it is selected. */
export function addressGroups(address: string): Html {
  // A cashaddr address has its prefix before a colon.
  const [, prefix = '', rest = ''] = /^([^:]*:)?(.*)$/.exec(address) ?? []
  const spans = [prefix, ...(rest.match(new RegExp(`.{1,${GROUP}}`, 'g')) ?? [])]
    .filter(Boolean)
    .map((group) => html`<span>${group}</span>`)
  return html`<code class="address" dir="ltr">${spans}</code>`
}
