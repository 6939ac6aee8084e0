/** The text of a node's answer is its UTF-8, whether or not it is ASCII. */

import { expect, test } from 'vitest'
import { readText } from '../../chains/read-text.js'

const read = (text: string) => readText(new Response(text))

test.each(['', '{"result":"0x1a"}', '{"message":"Größe überschritten – 上限"}', 'a😀é'])(
  'reads %j',
  async (text) => {
    expect(await read(text)).toBe(text)
  },
)

test('leaves a byte order mark out', async () => {
  expect(await read('\ufeff{}')).toBe('{}')
})
