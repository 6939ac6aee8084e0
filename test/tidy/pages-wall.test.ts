/** Holds the walls of the pages for payers and users, who have no API key, against the rest of the platform. */

import { describe, expect, test } from 'vitest'
import { type Import, importsOf, readImports } from './imports.js'

interface Wall {
  /** Files behind the wall. */
  readonly of: RegExp
  /** All that they may import. */
  readonly may: readonly RegExp[]
}

/** Of the rest of the API, pages need the limit by address and the errors. */
const SHARED = [
  /^api\/pages\//,
  /^api\/context\.ts$/,
  /^api\/http\/map-error\.ts$/,
  /^api\/middleware\/(?:allow-ip|create-buckets|guard-addresses)\.ts$/,
  /^domain\//,
]
const WALLS: Readonly<Record<string, Wall>> = {
  checkout: {
    of: /^api\/(?:checkout|pages)\//,
    may: [
      ...SHARED,
      /^api\/checkout\//,
      /^db\/payments\/read-checkout\.ts$/,
      /^db\/(?:connect|notices)\.ts$/,
    ],
  },
  // `sessions.ts` is the route of merchants, who have a key.
  cashier: {
    of: /^api\/cashier\/(?!sessions\.ts$)/,
    may: [
      ...SHARED,
      /^api\/cashier\/(?!sessions\.ts$)/,
      /^api\/deposits\/once-compared\.ts$/,
      /^api\/payouts\/withdrawal-request\.ts$/,
      /^api\/start\/start-withdrawal-soon\.ts$/,
      /^config\/public-url\.ts$/,
      /^db\/connect\.ts$/,
      /^db\/cashier\/(?:find-session|list-enabled|list-own-addresses|make-once|use-token)\.ts$/,
      /^db\/wallets\/allocate-address\.ts$/,
      /^db\/books\/balances\/get-balances\.ts$/,
      /^db\/payouts\/(?:payout-row|read-withdrawal-input)\.ts$/,
      /^db\/payouts\/withdrawals\/(?:create-withdrawal|list-withdrawals|read-withdrawal-view|try-withdrawal)\.ts$/,
      /^wire\/(?:cashier|withdrawal)\.ts$/,
    ],
  },
}
/** Parts of the API that serve requests with a key. */
const WITH_KEY =
  /^api\/(?:http\/(?:secured|answer|openapi|paging)|middleware\/(?:authenticate|idempotency|admit-once|read-body))\.ts$/

function violations(imports: readonly Import[]): string[] {
  return Object.values(WALLS).flatMap(({ of, may }) =>
    imports
      .filter(({ from, to }) => of.test(from) && !may.some((each) => each.test(to)))
      .map(({ from, to }) => `${from} imports ${to}`),
  )
}

/** Returns the files that run where one of these runs. */
function reachable(imports: readonly Import[], from: RegExp): Set<string> {
  const values = imports.filter(({ typesOnly }) => !typesOnly)
  const found = new Set(values.map((each) => each.from).filter((path) => from.test(path)))
  for (const path of found) for (const each of values) if (each.from === path) found.add(each.to)
  return found
}

describe.each(Object.entries(WALLS))('the wall of %s', (room, { of }) => {
  const imports = readImports()

  test('is kept by every import', () => {
    expect(imports.filter(({ from }) => of.test(from)).length).toBeGreaterThan(20)
    expect(violations(imports.filter(({ from }) => of.test(from)))).toEqual([])
  })

  test('keeps parts with an API key away, directly and through others', () => {
    const files = reachable(imports, of)
    expect([...files].some((path) => path.startsWith('db/'))).toBe(true)
    expect([...files].filter((path) => WITH_KEY.test(path))).toEqual([])
  })

  test('finds an import that is not needed', () => {
    for (const target of [
      '../../db/payments/cancel-payment.js',
      '../../db/controls/decide.js',
      '../http/secured.js',
      '../cashier/sessions.js',
      '../middleware/authenticate.js',
    ]) {
      const text = `import { each } from '${target}'\n`
      expect(violations(importsOf(`api/${room}/a.ts`, text))).toHaveLength(1)
    }
    const through = [
      ...importsOf(`api/${room}/a.ts`, "import { b } from '../start/b.js'\n"),
      ...importsOf('api/start/b.ts', "import { secured } from '../http/secured.js'\n"),
    ]
    expect([...reachable(through, of)].filter((path) => WITH_KEY.test(path))).toEqual(['api/http/secured.ts'])
  })
})

test('the route of merchants reaches the key, so that the names of its parts are the right ones', () => {
  const files = reachable(readImports(), /^api\/cashier\/sessions\.ts$/)
  expect([...files].filter((path) => WITH_KEY.test(path))).toEqual(
    expect.arrayContaining(['api/http/secured.ts', 'api/http/answer.ts', 'api/middleware/idempotency.ts']),
  )
})
