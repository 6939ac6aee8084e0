/**
 * Tests that the signer signs what the platform builds, and that the platform verifies what the signer signs.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SpendableOutput } from '../../chains/adapter.js'
import { verifySigned as verifyEvm } from '../../chains/evm/send/verify-signed.js'
import type { TransactionSource } from '../../chains/utxo/chain/transaction-source.js'
import { parseTransaction } from '../../chains/utxo/parse/parse-transaction.js'
import { buildPayout } from '../../chains/utxo/spend/build-payout.js'
import { verifySigned } from '../../chains/utxo/spend/verify-signed.js'
import type { EvmPayload, UtxoPayload } from '../../domain/signing/signer-protocol.js'
import { loadNetworks } from '../../networks/load-networks.js'
import { decide } from '../../signer/decide.js'
import { parsePath } from '../../signer/keys/path.js'
import { p2wpkhAddress } from '../../signer/utxo/address-script.js'
import {
  approved,
  BTC_RECIPIENT,
  btcIntent,
  CHANGE_PATH,
  type Coin,
  ethRequest,
  keyring,
  makeState,
  parentOf,
  usdtRequest,
} from './fixture.js'

const networks = await loadNetworks(undefined, {})
const bitcoin = networks.get('bitcoin')
const ethereum = networks.get('ethereum')
if (bitcoin?.family !== 'utxo' || ethereum?.family !== 'evm') throw new Error('The default networks changed')

const prefixes = { bech32: 'bcrt', pub_key_hash: 0x6f, script_hash: 0xc4 }

function place(path: string): Omit<SpendableOutput, 'txid' | 'vout' | 'amount'> {
  const key = keyring.at(parsePath(path) ?? [])
  return {
    address: p2wpkhAddress(key.keyHash, prefixes),
    path,
    publicKey: Buffer.from(key.publicKey).toString('hex'),
    masterFingerprint: keyring.fingerprint,
  }
}

const coin = fc.record({
  path: fc.constantFrom(
    "m/84'/1'/0'/0/7",
    "m/84'/1'/0'/0/8",
    "m/84'/1'/1'/0/0",
    "m/84'/1'/1'/1/3",
    "m/84'/1'/2'/0/0",
  ),
  amount: fc.bigInt({ min: 10_000n, max: 100_000_000n }),
})

test('signs any payout that the platform builds, with valid signatures', async () => {
  let built = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(coin, { minLength: 1, maxLength: 8 }),
      fc.bigInt({ min: 5_000n, max: 200_000_000n }),
      fc.constantFrom('sender' as const, 'recipient' as const),
      fc.integer({ min: 1, max: 40 }),
      async (drawn, amount, feePayer, feeRate) => {
        const coins: Coin[] = drawn.map((each, salt) => ({ ...each, salt }))
        const parents = new Map(
          coins.map((each) => [parentOf(each).getId(), Buffer.from(parentOf(each).toBuffer())]),
        )
        const source: TransactionSource = {
          fetch: async (txids) =>
            new Map([...txids].map((txid) => [txid, parseTransaction(parents.get(txid) ?? Buffer.alloc(0))])),
        }
        const result = await buildPayout(
          {
            outputs: [{ address: BTC_RECIPIENT, amount }],
            change: place(CHANGE_PATH),
            candidates: coins.map((each) => ({
              ...place(each.path),
              txid: parentOf(each).getId(),
              vout: 1,
              amount: each.amount,
            })),
            required: [],
            feeRate,
            feeLimit: 100_000n,
            feePayer,
          },
          bitcoin,
          source,
        )
        if (result.kind !== 'built') return
        built++
        const request = approved({
          id: 'srq_1',
          attempt: 1,
          purpose: 'pay',
          items: null,
          lease_until: '2026-06-01T12:01:00.000Z',
          intent: btcIntent({
            fee_payer: feePayer,
            outputs: [{ address: BTC_RECIPIENT, amount: `${amount}` }],
          }),
          payload: result.payload,
        })
        const decision = decide(request, makeState())
        expect(decision).toMatchObject({ outcome: 'signed', transactionHash: result.txid })
        if (decision.outcome !== 'signed') return
        expect(verifySigned(result.payload as UtxoPayload, decision.signedTransaction)).toEqual({
          txid: result.txid,
          fee: result.fee,
        })
      },
    ),
    { numRuns: 60 },
  )
  expect(built).toBeGreaterThan(10)
})

test('signs EVM transactions that the platform verifies', () => {
  for (const request of [ethRequest(), usdtRequest()]) {
    const decision = decide(request, makeState())
    if (decision.outcome !== 'signed') throw new Error(decision.message)
    const verified = verifyEvm(ethereum, request.payload as EvmPayload, decision.signedTransaction)
    expect(verified.txid).toBe(decision.transactionHash)
  }
})
