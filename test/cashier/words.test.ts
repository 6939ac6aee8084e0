/** The texts of the cashier in each language. */

import { expect, test } from 'vitest'
import { CASHIER_WORDS } from '../../api/cashier/words.js'
import { LANGUAGES } from '../../api/pages/language.js'

const valuesOf = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort()

test.each(LANGUAGES)('have in "%s" the values of the English ones, and no empty text', (language) => {
  for (const [name, text] of Object.entries(CASHIER_WORDS.en)) {
    const translated = CASHIER_WORDS[language][name as keyof typeof CASHIER_WORDS.en]
    expect(translated.trim()).not.toBe('')
    const [theirs, ours] = [new Set(valuesOf(translated)), new Set(valuesOf(text))]
    expect({ name, values: [...theirs] }).toEqual({ name, values: [...ours] })
  }
})
