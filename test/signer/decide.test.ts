/**
 * Tests requests of an honest platform: valid signatures, the same bytes again, and replacements in the
 * conflict set.
 */

import { mnemonicToSeedSync } from '@scure/bip39'
import * as bitcoin from 'bitcoinjs-lib'
import * as ecc from 'tiny-secp256k1'
import { parseTransaction, recoverTransactionAddress } from 'viem'
import { HDKey, hdKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { decide, decideAll, decideWitnessed } from '../../signer/decide.js'
import { JournalFailure } from '../../signer/journal/journal-failure.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import { openMemoryWitness } from '../../signer/journal/witness.js'
import {
  BTC_RECIPIENT,
  btcRequest,
  CHANGE_PATH,
  COINS,
  ethRequest,
  FEE,
  HOUR,
  MNEMONIC,
  makeState,
  NOW,
  ownScript,
  PAYING_ADDRESS,
  PAYING_PATH,
  usdtRequest,
} from './fixture.js'

function signed(decision: ReturnType<typeof decide>) {
  if (decision.outcome !== 'signed') throw new Error(`${decision.code}: ${decision.message}`)
  return decision
}

test('signs an ETH payout to exactly the bytes that viem makes of it', async () => {
  const request = ethRequest()
  const decision = signed(decide(request, makeState()))
  const raw = decision.signedTransaction as `0x02${string}`
  expect((await recoverTransactionAddress({ serializedTransaction: raw })).toLowerCase()).toBe(PAYING_ADDRESS)
  const account = hdKeyToAccount(HDKey.fromMasterSeed(mnemonicToSeedSync(MNEMONIC)), {
    path: PAYING_PATH as `m/44'/60'/${string}`,
  })
  const { r, s, v, yParity, ...unsigned } = parseTransaction(raw)
  expect(raw).toBe(await account.signTransaction(unsigned))
  expect([r, s, v, yParity]).not.toContain(undefined)
  expect(parseTransaction(raw)).toMatchObject({ chainId: 31337, nonce: 5, value: 1_500_000_000_000_000_000n })
})

test('signs a token transfer', async () => {
  const decision = signed(decide(usdtRequest(), makeState()))
  const raw = decision.signedTransaction as `0x02${string}`
  expect((await recoverTransactionAddress({ serializedTransaction: raw })).toLowerCase()).toBe(PAYING_ADDRESS)
})

test('signs a PSBT to exactly the bytes that bitcoinjs-lib makes of it, with low R', () => {
  const request = btcRequest()
  const decision = signed(decide(request, makeState()))
  const transaction = bitcoin.Transaction.fromHex(decision.signedTransaction)
  expect(transaction.getId()).toBe(decision.transactionHash)
  expect(transaction.outs.map((out) => out.value)).toEqual([80_000_000n, 30_000_000n - FEE])
  COINS.forEach((coin, index) => {
    const [signature, publicKey] = transaction.ins[index]?.witness ?? []
    const script = bitcoin.payments.p2pkh({ pubkey: publicKey! }).output!
    const digest = transaction.hashForWitnessV0(index, script, coin.amount, 1)
    const decoded = bitcoin.script.signature.decode(signature!)
    expect(ecc.verify(digest, publicKey!, decoded.signature, true)).toBe(true)
    expect(decoded.signature[0]).toBeLessThan(0x80)
    expect(decoded.hashType).toBe(1)
  })
})

test('gives the same bytes for the same request, also long after it expired', () => {
  let now = NOW
  const state = makeState({ now: () => now })
  const requests = [ethRequest(), usdtRequest(), btcRequest()]
  const first = decideAll(requests, state)
  const { sequence } = state.journal.position
  now += 48 * HOUR
  expect(decideAll(requests, state)).toEqual(first)
  expect(state.journal.position.sequence).toBe(sequence)
})

test('gives the same bytes after a crash between the journal and the answer', () => {
  const store = openMemoryStore()
  const first = decide(btcRequest(), makeState({ store }))
  const bytes = store.read()
  const decidedOnly = bytes.subarray(0, bytes.indexOf(0x0a) + 1)
  const state = makeState({ store: openMemoryStore(Buffer.from(decidedOnly)), now: () => NOW + 48 * HOUR })
  expect(decide(btcRequest(), state)).toEqual(first)
})

test('signs a replacement with the same nonce and higher fees', () => {
  const state = makeState()
  const first = signed(decide(ethRequest(), state))
  const bumped = signed(decide(ethRequest({ payload: { max_fee_per_gas: '40000000000' } }), state))
  expect(bumped.signedTransaction).not.toBe(first.signedTransaction)
})

test('signs a payout whose recipient pays the fee, less exactly the fee', () => {
  const request = btcRequest({
    intent: { fee_payer: 'recipient' },
    psbt: {
      outputs: [
        { address: BTC_RECIPIENT, amount: 80_000_000n - FEE },
        { script: ownScript(CHANGE_PATH), amount: 30_000_000n, path: CHANGE_PATH },
      ],
    },
  })
  signed(decide(request, makeState()))
  const fee = 21_000n * 30_000_000_000n
  const eth = ethRequest({
    intent: { fee_payer: 'recipient' },
    payload: { value: (1_500_000_000_000_000_000n - fee).toString() },
  })
  signed(decide(eth, makeState()))
})

test('counts each intent once in the daily limit, and forgets it after 24 hours', () => {
  let now = NOW
  const state = makeState({
    now: () => now,
    policy: (file) => Object.assign(file, { approval_max_age_seconds: 1_000_000 }),
  })
  const pay = (id: string, nonce: number) =>
    decide(
      ethRequest({
        intent: {
          withdrawal: id,
          outputs: [{ address: '0x70997970C51812dc3A010C7d01b50e0d17dc79C8', amount: `${90n * 10n ** 18n}` }],
          expires_at: new Date(NOW + 100 * HOUR).toISOString(),
        },
        payload: { value: `${90n * 10n ** 18n}`, nonce },
      }),
      state,
    )
  expect(pay('withdrawal_1', 1).outcome).toBe('signed')
  expect(pay('withdrawal_2', 2).outcome).toBe('signed')
  expect(pay('withdrawal_1', 1).outcome).toBe('signed')
  expect(pay('withdrawal_3', 3)).toMatchObject({ outcome: 'refused', code: 'POLICY_LIMIT' })
  now += 24 * HOUR + 1
  expect(pay('withdrawal_3', 3).outcome).toBe('signed')
})

test('signs an approved payout with a coin of another intent, so that the two exclude each other', () => {
  const state = makeState()
  const first = signed(decide(btcRequest(), state))
  const [coin] = COINS
  if (!coin) throw new Error('The fixture has no coin')
  const other = btcRequest({
    intent: { withdrawal: 'withdrawal_other', outputs: [{ address: BTC_RECIPIENT, amount: '990000' }] },
    psbt: {
      coins: [coin],
      outputs: [
        { address: BTC_RECIPIENT, amount: 990_000n },
        { script: ownScript(CHANGE_PATH), amount: coin.amount - 1_000_000n, path: CHANGE_PATH },
      ],
    },
  })
  const second = signed(decide(other, state))
  const inputs = (hex: string) =>
    bitcoin.Transaction.fromHex(hex).ins.map(
      (input) => `${Buffer.from(input.hash).toString('hex')}:${input.index}`,
    )
  expect(inputs(first.signedTransaction)).toEqual(
    expect.arrayContaining(inputs(second.signedTransaction).slice(0, 1)),
  )
  // The first intent is still signed only with all of its own inputs.
  const without = btcRequest({
    psbt: { coins: [coin, { path: "m/84'/1'/1'/0/0", amount: 50_000_000n, salt: 6 }] },
  })
  expect(decide(without, state)).toMatchObject({ outcome: 'refused', code: 'CONFLICT_SET' })
})

test('signs a replacement that keeps all inputs and adds one, which stays free for others', () => {
  const state = makeState()
  const added = { path: "m/84'/1'/2'/0/1", amount: 1_000_000n, salt: 9 }
  signed(decide(btcRequest(), state))
  const bump = btcRequest({
    psbt: {
      coins: [...COINS, added],
      outputs: [
        { address: BTC_RECIPIENT, amount: 80_000_000n },
        { script: ownScript(CHANGE_PATH), amount: 30_980_000n, path: CHANGE_PATH },
      ],
    },
  })
  signed(decide(bump, state))
  const other = btcRequest({
    intent: { withdrawal: 'withdrawal_other', outputs: [{ address: BTC_RECIPIENT, amount: '990000' }] },
    psbt: { coins: [added], outputs: [{ address: BTC_RECIPIENT, amount: 990_000n }] },
  })
  signed(decide(other, state))
})

test('writes and syncs the decision before it uses the key', () => {
  const memory = openMemoryStore()
  let synced = ''
  const state = makeState({
    store: {
      ...memory,
      sync: () => {
        synced = memory.read().toString('utf8')
      },
    },
  })
  decideAll([ethRequest(), usdtRequest()], state)
  const types = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).type)
  expect(types(synced)).toEqual(['decided', 'decided'])
  expect(types(memory.read().toString('utf8'))).toEqual(['decided', 'decided', 'signed', 'signed'])
})

test('signs nothing when the journal cannot be synced', () => {
  const memory = openMemoryStore()
  const state = makeState({
    store: {
      ...memory,
      sync: () => {
        throw new Error('no space left on device')
      },
    },
  })
  expect(() => decide(ethRequest(), state)).toThrow('no space left')
  expect(memory.read().toString('utf8')).not.toContain('"signed"')
})

test('returns no signature before the witness has the position, and none when the witness fails', async () => {
  let keep: () => void = () => undefined
  const kept: number[] = []
  const witness = (write: (sequence: number) => Promise<void>) => ({
    ...openMemoryWitness(),
    write: ({ sequence }: { sequence: number }) => write(sequence),
  })
  const slow = makeState({
    witness: witness(async (sequence) => {
      await new Promise<void>((resolve) => {
        keep = resolve
      })
      kept.push(sequence)
    }),
  })
  let returned = false
  const decided = decideWitnessed([ethRequest(), usdtRequest()], slow).then((decisions) => {
    returned = true
    return decisions
  })
  // Both are signed by now, and wait for the witness.
  await expect.poll(() => slow.journal.position.sequence).toBe(4)
  await new Promise((resolve) => setImmediate(resolve))
  expect({ returned, kept }).toEqual({ returned: false, kept: [] })
  keep()
  expect((await decided).map(({ outcome }) => outcome)).toEqual(['signed', 'signed'])
  // The witness has the two decisions, on which the bytes rest.
  expect(kept).toEqual([2])

  const failing = makeState({
    witness: witness(async () => {
      throw new JournalFailure('The witness failed')
    }),
  })
  await expect(decideWitnessed([ethRequest()], failing)).rejects.toThrow(JournalFailure)
})
