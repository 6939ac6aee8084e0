/** Bitcoin Cash, against a scripted node that judges transactions by libauth (no node of it is available). */

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { UtxoAdapter } from '../../chains/adapter.js'
import { parseAmount } from '../../domain/money.js'
import { loadNetworks } from '../../networks/load-networks.js'
import { openKeyring } from '../../signer/keys/keyring.js'
import { parsePath } from '../../signer/keys/path.js'
import { cashAddress } from '../../signer/utxo/cash-address.js'
import { readPsbt } from '../../signer/utxo/read-psbt.js'
import { signP2pkhForkId } from '../../signer/utxo/sign-p2pkh-forkid.js'
import { type MinedRail, openMinedRail } from '../stage/open-rail.js'
import { addressOf, availableTo, creditDeposits, onChain, payOut, untilDeposit } from '../stage/rail-steps.js'
import { realSigner } from '../stage/real-signer.js'
import type { Stage } from '../stage/start-stage.js'
import { type CashNode, testCashNode } from '../support/cash-node.js'

/** Path of a signer’s key that belongs to no wallet. */
const PATH = "m/44'/1'/9'/0/0"

let rail: MinedRail<CashNode>
let node: CashNode
let stage: Stage
let adapter: UtxoAdapter

beforeAll(async () => {
  rail = await openMinedRail({
    start: testCashNode,
    networks: ({ rpc }) =>
      loadNetworks(undefined, {
        ETHEREUM_ENABLED: 'false',
        BITCOIN_ENABLED: 'false',
        BITCOIN_CASH_ENABLED: 'true',
        BITCOIN_CASH_RPC_URLS: rpc,
        BITCOIN_CASH_POLL_INTERVAL: '100ms',
      }),
    blockMs: 300,
  })
  ;({ node, stage } = rail)
  adapter = stage.adapters.get('bitcoin-cash') as UtxoAdapter
  stage.signer.run(realSigner(stage))
})
afterAll(() => rail?.close())

const stranger = () => cashAddress(randomBytes(20), 'bchreg')
const withdrawal = (amount: string, to_address: string, fields: Record<string, unknown> = {}) => ({
  network: 'bitcoin-cash',
  coin: 'bch',
  amount,
  to_address,
  user_reference: 'anna',
  ...fields,
})

test('detects, confirms, reverts and credits a deposit to a cashaddr', async () => {
  const address = await addressOf(stage, 'bitcoin-cash', 'anna')
  expect(address).toMatch(/^bchreg:q/)
  const txid = await node.fund(address, parseAmount('4', 8))
  const detected = await untilDeposit(stage, txid, (deposit) => deposit.status === 'detected')
  expect(detected.address.address).toBe(address)
  expect(detected.destinations.map((each) => each.address)).toContain(address)
  const [first] = await node.mine(1)
  await untilDeposit(stage, txid, (deposit) => deposit.block_hash === first)
  node.disconnect(1)
  await node.mine(2, { empty: true })
  await untilDeposit(stage, txid, (deposit) => deposit.block_hash === null)
  const [again] = await node.mine(3)
  await untilDeposit(stage, txid, (deposit) => deposit.block_hash === again)
  await creditDeposits(stage, txid)
  expect(await availableTo(stage, 'bitcoin-cash', 'bch', 'anna')).toBe('4')
})

test('signs a withdrawal with FORKID by the signer’s own code, and the chain’s rules accept it', async () => {
  const recipient = stranger()
  const view = await rail.whileMining(() => payOut(stage, withdrawal('1.5', recipient)))
  expect(await adapter.balance(recipient, 'bch')).toBe(parseAmount('1.5', 8))
  expect(await adapter.outcome(view.transaction_hash ?? '')).toMatchObject({
    kind: 'mined',
    fee: parseAmount(view.fee, 8),
  })
  const { books, chain } = await onChain(stage, 'bitcoin-cash', 'bch')
  expect(books).toBe(chain)
  expect(books).toBe(parseAmount('2.5', 8) - parseAmount(view.fee, 8))
})

test('spends change again, with the recipient paying the fee, and accepts an address without its prefix', async () => {
  const recipient = stranger()
  const view = await rail.whileMining(() =>
    payOut(stage, withdrawal('2', recipient.slice('bchreg:'.length), { fee_payer: 'recipient' })),
  )
  expect(view.to_address).toBe(recipient)
  expect(await adapter.balance(recipient, 'bch')).toBe(parseAmount('2', 8) - parseAmount(view.fee, 8))
  const { books, chain } = await onChain(stage, 'bitcoin-cash', 'bch')
  expect(books).toBe(chain)
})

test('refuses a legacy address, and names the cashaddr that it would be', async () => {
  const { status, json } = await stage.create(withdrawal('0.1', 'mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn'))
  expect([status, json.error.code]).toEqual([422, 'INVALID_ADDRESS'])
  expect(json.error.message).toMatch(/Bitcoin as well.*bchreg:q/)
})

test('accepts at the node what is signed with FORKID, and nothing else', async () => {
  const key = openKeyring(stage.signer.seed).at(parsePath(PATH) ?? [])
  const address = cashAddress(key.keyHash, 'bchreg')
  const txid = await node.fund(address, parseAmount('1', 8))
  await node.mine(1)
  const own = {
    address,
    path: PATH,
    publicKey: Buffer.from(key.publicKey).toString('hex'),
    masterFingerprint: '00000000',
  }
  const built = await adapter.build({
    outputs: [{ address: stranger(), amount: parseAmount('0.5', 8) }],
    change: own,
    candidates: [{ ...own, txid, vout: 0, amount: parseAmount('1', 8) }],
    required: [],
    feeRate: 2,
    feeLimit: 100_000n,
    feePayer: 'sender',
  })
  if (built.kind !== 'built') throw new Error(built.kind)
  const { transaction } = readPsbt(built.payload.psbt)
  const { raw, hash } = signP2pkhForkId(transaction, [{ key, amount: parseAmount('1', 8) }])
  // Version, count, outpoint, length of the script; then the push whose last byte is the type of the
  // signature.
  const script = 2 * (4 + 1 + 36 + 1)
  const type = script + 2 + 2 * (Number.parseInt(raw.slice(script, script + 2), 16) - 1)
  expect(raw.slice(type, type + 2)).toBe('41')
  for (const other of ['01', '42', 'c1']) {
    const changed = `${raw.slice(0, type)}${other}${raw.slice(type + 2)}`
    expect(() => adapter.verifySigned(built.payload, changed)).toThrow(/not validly signed/)
    expect(await adapter.broadcast(changed)).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('script-verify-flag'),
    })
  }
  expect(adapter.verifySigned(built.payload, raw)).toEqual({ txid: hash, fee: built.fee })
  expect(await adapter.broadcast(raw)).toEqual({ kind: 'accepted' })
  expect(await adapter.broadcast(raw)).toEqual({ kind: 'already_known' })
})

test('refuses to speed up or cancel what was sent, because nodes keep the transaction that they saw first', async () => {
  await stage.credit('bitcoin-cash', 'bch', 'anna', parseAmount('1', 8))
  const { json } = await stage.create(withdrawal('0.2', stranger()))
  await stage.approve(json.data.id)
  await stage.until(json.data.id, 'confirming')
  for (const [action, body] of [
    ['speed-up', {}],
    ['cancel-transaction', { reason: 'wrong' }],
  ] as const) {
    const refused = await stage.api.call({
      method: 'POST',
      path: `/api/v1/withdrawals/${json.data.id}/${action}`,
      key: stage.people[1].key,
      body,
    })
    expect([refused.status, refused.json.error.code]).toEqual([409, 'REPLACEMENT_NOT_SUPPORTED'])
  }
  await rail.whileMining(() => stage.until(json.data.id, 'confirmed'))
})
