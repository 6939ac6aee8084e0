/** Lists the texts of the checkout page by language. */

import type { Language } from '../pages/language.js'
import { ar } from './words/ar.js'
import { de } from './words/de.js'
import { type CheckoutWords, en } from './words/en.js'
import { es } from './words/es.js'
import { fr } from './words/fr.js'

export const CHECKOUT_WORDS: Readonly<Record<Language, CheckoutWords>> = { en, de, es, fr, ar }
