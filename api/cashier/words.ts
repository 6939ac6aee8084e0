/** Lists the texts of the cashier by language. */

import type { Language } from '../pages/language.js'
import { ar } from './words/ar.js'
import { de } from './words/de.js'
import { type CashierWords, en } from './words/en.js'
import { es } from './words/es.js'
import { fr } from './words/fr.js'

export const CASHIER_WORDS: Readonly<Record<Language, CashierWords>> = { en, de, es, fr, ar }
