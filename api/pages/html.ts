/** Makes HTML in which every value is escaped unless it is HTML already. */

import { visibleText } from '../../domain/visible-text.js'

/** Text that is HTML. Only this file, and generators of known characters, make it. */
export class Html {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text
  }
}

/** Value of a template. `null`, `undefined` and `false` give no text. */
export type Content = Html | string | number | null | undefined | false | readonly Content[]

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/**
 * Template tag. A value that is a text has its control and direction characters made visible, and is
 * escaped for elements and quoted attributes.
 */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(
    parts.map((part, index) => part + (index < values.length ? textOf(values[index]) : '')).join(''),
  )
}

/** Escapes a text and keeps each of its characters, for URLs, which have to arrive as they were sent. */
export function exact(text: string): Html {
  return new Html(escapeHtml(text))
}

/**
 * Puts values into a text of a dictionary, such as `Send {amount}`. Text and values are escaped.
 *
 * @throws Error if the text names a value that is not given.
 */
export function fill(text: string, values: Readonly<Record<string, Content>>): Html {
  const pieces = text.split(/\{(\w+)\}/).map((piece, index): Content => {
    if (index % 2 === 0) return piece
    if (!(piece in values)) throw new Error(`There is no value for {${piece}} in: ${text}`)
    return values[piece]
  })
  return html`${pieces}`
}

function textOf(value: Content): string {
  if (value === null || value === undefined || value === false) return ''
  if (value instanceof Html) return value.text
  if (Array.isArray(value)) return value.map(textOf).join('')
  return escapeHtml(visibleText(String(value)))
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
