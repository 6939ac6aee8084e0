/** Holds the wall of the checkout page against the rest of the platform, because the page needs no key. */

import { expect, test } from 'vitest'
import { type Import, importsOf, readImports } from './imports.js'

/** What a page without a key may import. Of the rest of the API it needs the limit by address and the errors. */
const ALLOWED = [
  /^api\/(?:checkout|pages)\//,
  /^api\/context\.ts$/,
  /^api\/http\/map-error\.ts$/,
  /^api\/middleware\/(?:allow-ip|create-buckets|guard-addresses)\.ts$/,
  /^db\/payments\/read-checkout\.ts$/,
  /^db\/(?:connect|notices)\.ts$/,
  /^domain\//,
]

function violations(imports: readonly Import[]): string[] {
  return imports
    .filter(
      ({ from, to }) => /^api\/(?:checkout|pages)\//.test(from) && !ALLOWED.some((each) => each.test(to)),
    )
    .map(({ from, to }) => `${from} imports ${to}`)
}

test('the checkout page imports only what it needs', () => {
  expect(violations(readImports())).toEqual([])
})

test('finds an import that it does not need', () => {
  const text = "import { cancelPayment } from '../../db/payments/cancel-payment.js'\n"
  expect(violations(importsOf('api/checkout/a.ts', text))).toHaveLength(1)
})
