/** Whole numbers in the query of a request, which has texts alone. */

import { z } from 'zod'

/** Reads digits as a number between both bounds. An empty text is none, and no 0. */
export const wholeNumber = (least: number, most: number) =>
  z.preprocess(
    (given: number) => (/^\d{1,16}$/.test(String(given)) ? Number(given) : given),
    z.int().min(least).max(most),
  )
