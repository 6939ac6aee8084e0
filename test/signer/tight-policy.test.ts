/**
 * Tests that the policy of `init` fits a small business, and that `init` and `verify-policy` say what it
 * leaves open.
 */

import { rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { DEFAULT_NETWORKS_FILE, loadNetworks } from '../../networks/load-networks.js'
import { dailyBurn } from '../../signer/policy/daily-burn.js'
import { defaultPolicy } from '../../signer/policy/default-policy.js'
import { compilePolicy } from '../../signer/policy/policy.js'
import { buildSigner, openSignerProgram, type SignerProgram } from './signer-program.js'

let program: string
let signer: SignerProgram

beforeAll(async () => {
  program = await buildSigner()
})
afterAll(() => rmSync(dirname(program), { recursive: true }))
beforeEach(async () => {
  signer = await openSignerProgram(program)
})
afterEach(() => signer.close())

test('limits every coin of the shipped networks, and the daily burn to the fees of a few transactions', async () => {
  const all = {
    ETHEREUM_CHAIN_ID: '1',
    LITECOIN_ENABLED: 'true',
    BITCOIN_CASH_ENABLED: 'true',
    POLYGON_ENABLED: 'true',
  }
  const policy = defaultPolicy({
    merchantId: 'mer_1',
    platformPublicKey: Buffer.alloc(32, 9).toString('base64'),
    networks: await loadNetworks(DEFAULT_NETWORKS_FILE, all),
    limits: new Map(),
  })
  compilePolicy(policy)
  const assets = Object.values(policy.networks).flatMap((network) => Object.values(network.assets))
  for (const { per_transaction, daily } of assets) {
    expect(Number(per_transaction)).toBeGreaterThan(0)
    expect(Number(daily)).toBeGreaterThanOrEqual(Number(per_transaction))
  }
  const burn = Object.entries(dailyBurn(policy)).map(([network, each]) => [network, each.in_all])
  expect(Object.fromEntries(burn)).toEqual({
    ethereum: '0.15 eth',
    bitcoin: '0.03 btc',
    litecoin: '0.3 ltc',
    'bitcoin-cash': '0.01 bch',
    polygon: '6 pol',
  })
})

test('prints the daily burn and the coins without a limit at init, and again at verify-policy', async () => {
  const init = await signer.init(['--limit', 'ethereum:usdt:none:100'])
  const open = {
    without_limit: ['ethereum:usdt'],
    not_paid: [],
    burnable_a_day: {
      ethereum: {
        movement_fees: '0.05 eth',
        cancel_fees: '0.1 eth',
        in_all: '0.15 eth',
        gas_moved: '0.1 eth',
      },
      bitcoin: {
        movement_fees: '0.01 btc',
        cancel_fees: '0.02 btc',
        in_all: '0.03 btc',
        gas_moved: '0 btc',
      },
    },
  }
  expect(JSON.parse(init.stdout)).toMatchObject(open)
  const verified = await signer.command(['verify-policy'])
  expect(verified.code).toBe(0)
  expect(JSON.parse(verified.stdout)).toMatchObject({ ...open, seal: 'sealed', pays: false, quorum: 2 })

  const other = join(signer.home, '..', 'other.json')
  writeFileSync(other, '{"version":1}')
  expect(await signer.command(['verify-policy', '--file', other])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('merchant_id'),
  })
})

test('reports at init that the words were not shown, and shows them only on a terminal', async () => {
  expect((await signer.init()).stderr).toContain(`keyturn-signer show-mnemonic --home ${signer.home}`)
  expect(await signer.command(['show-mnemonic'])).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('terminal only'),
  })
})
