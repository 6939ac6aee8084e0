/** What every page shares: templates, dictionaries, colours and static files. */

import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CHECKOUT_WORDS } from '../../../api/checkout/words.js'
import { STYLE } from '../../../api/pages/assets.js'
import { colourSheet, textOn } from '../../../api/pages/colour.js'
import { exact, fill, html } from '../../../api/pages/html.js'
import { formatDuration, LANGUAGES } from '../../../api/pages/language.js'
import { qrSvg } from '../../../api/pages/qr-svg.js'
import { startTestApi, type TestApi } from '../../stage/test-api.js'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api?.database.drop())

test('escapes each value of a template, and shows hidden characters as codes', () => {
  expect(html`<p title="${'"\'<&>'}">${'a\u202eb\n'}</p>`.text).toBe(
    '<p title="&quot;&#39;&lt;&amp;&gt;">a\\u{202e}b\\u{a}</p>',
  )
  expect(html`${[html`<b>${1}</b>`, null, false, undefined, ['<']]}`.text).toBe('<b>1</b>&lt;')
  expect(exact('https://a/?b=\u202e"').text).toBe('https://a/?b=\u202e&quot;')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(html`${text}`.text).not.toMatch(/[<>"'\p{C}]/u)
    }),
  )
})

test('fills a text with escaped values, and refuses a text that names another value', () => {
  expect(fill('<{a}> & {b}', { a: '<', b: html`<i>b</i>` }).text).toBe('&lt;&lt;&gt; &amp; <i>b</i>')
  expect(() => fill('{c}', { a: '' })).toThrow('There is no value for {c}')
})

test('names the same values in each language', () => {
  const valuesOf = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort()
  for (const language of LANGUAGES) {
    for (const [key, text] of Object.entries(CHECKOUT_WORDS[language])) {
      const english = CHECKOUT_WORDS.en[key as keyof typeof CHECKOUT_WORDS.en]
      expect({ language, key, values: valuesOf(text) }).toEqual({ language, key, values: valuesOf(english) })
    }
  }
})

test('formats a duration in its greatest unit, without marks of direction', () => {
  expect([90_000, 61 * 60_000, 7_200_000, 49 * 3_600_000].map((each) => formatDuration('en', each))).toEqual([
    '90 seconds',
    '61 minutes',
    '2 hours',
    '3 days',
  ])
  for (const language of LANGUAGES) expect(formatDuration(language, 300_000)).not.toMatch(/\p{Cf}/u)
})

test('writes on each colour with a contrast of at least 4.5 to 1', () => {
  const channel = (value: number) =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4
  const colour = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255))
  fc.assert(
    fc.property(colour, ([red, green, blue]) => {
      const own = 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue)
      const hex = `#${[red, green, blue].map((each) => each.toString(16).padStart(2, '0')).join('')}`
      const other = textOn(hex) === '#ffffff' ? 1 : 0
      const contrast = (Math.max(own, other) + 0.05) / (Math.min(own, other) + 0.05)
      expect(contrast).toBeGreaterThanOrEqual(4.5)
      expect(colourSheet(hex)).toBe(`:root{--brand:${hex};--on-brand:${textOn(hex)}}`)
    }),
  )
})

test('draws a code once, and under the name that it is given', () => {
  const [first, again] = [qrSvg('bitcoin:a', 'Code'), qrSvg('bitcoin:a', '<Kode>')]
  expect(first.text).toMatch(/^<svg class="qr" role="img" aria-label="Code" viewBox="0 0 (\d+) \1"/)
  expect(again.text).toBe(first.text.replace('"Code"', '"&lt;Kode&gt;"'))
})

test('lets browsers keep static files, whose names change with their content', async () => {
  const get = (path: string) => api.app.request(`http://api.test${path}`)
  expect(STYLE.path).toMatch(/^\/assets\/style\.[0-9a-f]{16}\.css$/)
  for (const path of [STYLE.path, '/assets/colour.102030.css']) {
    const response = await get(path)
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(response.headers.get('content-type')).toBe('text/css; charset=utf-8')
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  }
  for (const path of ['/assets/style.css', '/assets/colour.zz0000.css', '/assets/../package.json']) {
    expect((await get(path)).status).toBe(404)
  }
})
