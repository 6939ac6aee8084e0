/** Builds payouts of the Bitcoin family: recipients, change, fees, replacements. */

import { Transaction as ScureTransaction } from '@scure/btc-signer'
import { Psbt, payments, Transaction } from 'bitcoinjs-lib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SpendableOutput, UtxoBuildRequest, UtxoBuildResult } from '../../../../chains/adapter.js'
import { bitcoinjsNetwork } from '../../../../chains/utxo/bitcoinjs-network.js'
import { parseTransaction } from '../../../../chains/utxo/parse/parse-transaction.js'
import { buildPayout, MAX_PAYLOAD_BYTES } from '../../../../chains/utxo/spend/build-payout.js'
import { verifySigned } from '../../../../chains/utxo/spend/verify-signed.js'
import type { UtxoNetwork } from '../../../../domain/chain/network.js'
import { legacyNetwork, testNetwork } from '../test-network.js'
import { fundedWallet, testWallet } from '../test-wallet.js'

const segwit = testNetwork()
const legacy = legacyNetwork()
const stranger = (network: UtxoNetwork, index: number) =>
  testWallet(network, 'another owner').key(index).address

function requestOn(
  network: UtxoNetwork,
  candidates: readonly SpendableOutput[],
  amounts: readonly bigint[],
  changes: Partial<UtxoBuildRequest> = {},
): UtxoBuildRequest {
  return {
    outputs: amounts.map((amount, index) => ({ address: stranger(network, index), amount })),
    change: testWallet(network).key(0, 1),
    candidates,
    required: [],
    feeRate: 3,
    feeLimit: 100_000n,
    feePayer: 'sender',
    ...changes,
  }
}

function built(result: UtxoBuildResult): Extract<UtxoBuildResult, { kind: 'built' }> {
  if (result.kind !== 'built') throw new Error(result.kind)
  return result
}

describe.each([
  ['p2wpkh', segwit],
  ['p2pkh', legacy],
] as const)('buildPayout and verifySigned on %s', (_kind, network) => {
  test('pays the requested outputs, with a fee for the size that signing really makes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.bigInt({ min: 5_000n, max: 10_000_000n }), { minLength: 1, maxLength: 8 }),
        fc.array(fc.bigInt({ min: 546n, max: 2_000_000n }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 1, max: 60 }),
        async (coins, amounts, feeRate) => {
          const { wallet, outputs, source } = fundedWallet(network, coins)
          const result = await buildPayout(requestOn(network, outputs, amounts, { feeRate }), network, source)
          if (result.kind !== 'built') return
          const raw = wallet.sign(result.payload.psbt)
          const signed = Transaction.fromHex(raw)
          const verified = verifySigned(result.payload, raw)
          expect(verified).toEqual({ txid: signed.getId(), fee: result.fee })
          expect(result.txid).toBe(network.script === 'p2wpkh' ? signed.getId() : null)
          expect(signed.outs.slice(0, amounts.length).map((each) => each.value)).toEqual(amounts)
          expect(signed.outs.slice(amounts.length).map((each) => each.value)).toEqual(
            result.change > 0n ? [result.change] : [],
          )
          // Signatures are a byte or two shorter than reckoned at times, never longer.
          const spare = result.vsize - signed.virtualSize()
          expect(spare).toBeGreaterThanOrEqual(0)
          expect(spare).toBeLessThanOrEqual(result.inputs.length * 2)
          expect(Number(result.fee)).toBeGreaterThanOrEqual(signed.virtualSize() * feeRate)
        },
      ),
      { numRuns: 40 },
    )
  })

  test('takes the fee from the recipient on request', async () => {
    const { wallet, outputs, source } = fundedWallet(network, [1_000_000n])
    const result = built(
      await buildPayout(requestOn(network, outputs, [400_000n], { feePayer: 'recipient' }), network, source),
    )
    const signed = Transaction.fromHex(wallet.sign(result.payload.psbt))
    expect(signed.outs.map((each) => each.value)).toEqual([400_000n - result.fee, 600_000n])
  })

  test('pays a recipient who bears the fee the amount less the fee, also if the rest is below dust', async () => {
    const { outputs, source, wallet } = fundedWallet(network, [100_000n])
    const request = requestOn(network, outputs, [99_900n], { feePayer: 'recipient' })
    const result = built(await buildPayout(request, network, source))
    const raw = wallet.sign(result.payload.psbt)
    // 110 or 192 virtual bytes at 3, and the rest of 100 that is no change.
    const paid = network.script === 'p2wpkh' ? 99_470n : 99_224n
    expect(Transaction.fromHex(raw).outs.map((each) => each.value)).toEqual([paid])
    expect(result).toMatchObject({ paid, change: 0n, fee: 100_000n - paid })
    expect(verifySigned(result.payload, raw).fee).toBe(result.fee)
    const poor = await buildPayout({ ...request, feeLimit: result.fee - 1n }, network, source)
    expect(poor.kind).toBe('fee_too_high')
  })

  test("keeps inputs and recipients in a replacement, pays BIP-125's fee, and has no recipient in a cancellation", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.bigInt({ min: 20_000n, max: 10_000_000n }), { minLength: 2, maxLength: 8 }),
        fc.bigInt({ min: 1_000n, max: 2_000_000n }),
        fc.integer({ min: 1, max: 40 }),
        async (coins, amount, feeRate) => {
          const { wallet, outputs, source } = fundedWallet(network, coins)
          const first = await buildPayout(requestOn(network, outputs, [amount]), network, source)
          if (first.kind !== 'built') return
          const floor = { fee: first.fee, rate: network.fees.minRate }
          for (const amounts of [[amount], []]) {
            const next = await buildPayout(
              requestOn(network, outputs, amounts, { feeRate, required: first.inputs, floor }),
              network,
              source,
            )
            if (next.kind !== 'built') continue
            const outpoints = next.inputs.map((input) => `${input.txid}:${input.vout}`)
            for (const input of first.inputs) expect(outpoints).toContain(`${input.txid}:${input.vout}`)
            const raw = wallet.sign(next.payload.psbt)
            expect(verifySigned(next.payload, raw).fee).toBe(next.fee)
            const signed = Transaction.fromHex(raw)
            expect(signed.outs.slice(0, amounts.length).map((each) => each.value)).toEqual(amounts)
            expect(signed.outs.length).toBeGreaterThan(0)
            // BIP-125, rules 3 and 4: the replaced fee and the relay rate for its own size; and the requested
            // rate.
            expect(Number(next.fee - first.fee)).toBeGreaterThanOrEqual(
              signed.virtualSize() * network.fees.minRate,
            )
            expect(Number(next.fee)).toBeGreaterThanOrEqual(signed.virtualSize() * feeRate)
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  test('says fee_too_high when the recipient would get dust', async () => {
    const { outputs, source } = fundedWallet(network, [1_000_000n])
    const asked = requestOn(network, outputs, [800n], { feePayer: 'recipient', feeRate: 4 })
    expect(await buildPayout(asked, network, source)).toMatchObject({ kind: 'fee_too_high' })
  })

  test('refuses amounts that the network does not relay', async () => {
    const { outputs, source } = fundedWallet(network, [1_000_000n])
    const dust = network.script === 'p2wpkh' ? 293n : 545n
    await expect(buildPayout(requestOn(network, outputs, [dust]), network, source)).rejects.toMatchObject({
      code: 'INVALID_AMOUNT',
      details: { minimum: String(dust + 1n) },
    })
    expect(await buildPayout(requestOn(network, outputs, [dust + 1n]), network, source)).toMatchObject({
      kind: 'built',
    })
  })
})

describe('buildPayout', () => {
  test('writes a PSBT that another library reads: parents, amounts, key origins, version, sequences', async () => {
    const { wallet, outputs, source } = fundedWallet(segwit, [300_000n, 200_000n])
    const request = requestOn(segwit, outputs, [450_000n])
    const result = built(await buildPayout(request, segwit, source))
    const psbt = ScureTransaction.fromPSBT(Buffer.from(result.payload.psbt, 'base64'))
    expect(psbt.version).toBe(2)
    expect(psbt.lockTime).toBe(0)
    expect(psbt.inputsLength).toBe(2)
    for (let i = 0; i < 2; i++) {
      const input = psbt.getInput(i)
      const coin = result.inputs[i]!
      expect(input.sequence).toBe(0xfffffffd)
      expect(Buffer.from(input.txid!).toString('hex')).toBe(coin.txid)
      expect(input.index).toBe(coin.vout)
      expect(input.witnessUtxo?.amount).toBe(coin.amount)
      expect(input.nonWitnessUtxo?.outputs[coin.vout]?.amount).toBe(coin.amount)
      const [[key, origin] = []] = input.bip32Derivation ?? []
      expect(Buffer.from(key!).toString('hex')).toBe(coin.publicKey)
      expect(origin?.fingerprint).toBe(Number.parseInt(coin.masterFingerprint, 16))
      expect(origin?.path).toEqual([
        84 + 2 ** 31,
        1 + 2 ** 31,
        2 ** 31,
        0,
        Number(coin.path.split('/').at(-1)),
      ])
    }
    expect(psbt.outputsLength).toBe(2)
    const [[changeKey] = []] = psbt.getOutput(1).bip32Derivation ?? []
    expect(Buffer.from(changeKey!).toString('hex')).toBe(wallet.key(0, 1).publicKey)
    expect(psbt.getOutput(0).bip32Derivation ?? []).toEqual([])
    expect(psbt.fee).toBe(result.fee)
  })

  test('keeps two outputs to one address apart, in the requested order', async () => {
    const { wallet, outputs, source } = fundedWallet(segwit, [1_000_000n])
    const address = stranger(segwit, 1)
    const request: UtxoBuildRequest = {
      ...requestOn(segwit, outputs, []),
      outputs: [
        { address, amount: 30_000n },
        { address: stranger(segwit, 2), amount: 20_000n },
        { address, amount: 30_000n },
      ],
    }
    const result = built(await buildPayout(request, segwit, source))
    const values = Transaction.fromHex(wallet.sign(result.payload.psbt)).outs.map((each) => each.value)
    expect(values).toEqual([30_000n, 20_000n, 30_000n, result.change])
  })

  test('spends the anchor first and once, though it is a candidate too', async () => {
    const { outputs, source } = fundedWallet(segwit, [50_000n, 900_000n, 800_000n])
    const anchor = outputs[0]!
    const request = requestOn(segwit, [...outputs, ...outputs], [1_600_000n], { required: [anchor] })
    const result = built(await buildPayout(request, segwit, source))
    expect(result.inputs[0]).toEqual(anchor)
    expect(new Set(result.inputs.map((coin) => coin.txid)).size).toBe(result.inputs.length)
  })

  test('builds the same bytes from the same request', async () => {
    const { outputs, source } = fundedWallet(
      segwit,
      Array.from({ length: 40 }, (_, i) => BigInt(20_000 + i * 777)),
    )
    const request = requestOn(segwit, outputs, [210_000n])
    expect(await buildPayout(request, segwit, source)).toEqual(await buildPayout(request, segwit, source))
  })

  test('stays under the fee limit and the network’s own', async () => {
    const { outputs, source } = fundedWallet(segwit, [100_000_000n])
    const asked = requestOn(segwit, outputs, [50_000n], { feeLimit: 100n })
    expect(await buildPayout(asked, segwit, source)).toMatchObject({ kind: 'fee_too_high' })
    const reckless = requestOn(segwit, outputs, [50_000n], { feeLimit: 10n ** 9n, feeRate: 10_000 })
    expect(segwit.fees.maxTotal).toBe(1_000_000n)
    expect(await buildPayout(reckless, segwit, source)).toMatchObject({ kind: 'fee_too_high' })
  })

  test('names what is missing', async () => {
    const { outputs, source } = fundedWallet(segwit, [10_000n])
    expect(await buildPayout(requestOn(segwit, outputs, [50_000n]), segwit, source)).toMatchObject({
      kind: 'insufficient_funds',
    })
  })

  test("refuses to pay from an output that differs from the chain's", async () => {
    const { outputs, source } = fundedWallet(segwit, [100_000n])
    const [coin] = outputs
    const asked = (changes: Partial<SpendableOutput>) =>
      buildPayout(requestOn(segwit, [{ ...coin!, ...changes }], [50_000n]), segwit, source)
    await expect(asked({ amount: 200_000n })).rejects.toMatchObject({ code: 'INVALID_STATE' })
    await expect(asked({ vout: 5 })).rejects.toMatchObject({ code: 'INVALID_STATE' })
    await expect(asked({ txid: '00'.repeat(32) })).rejects.toMatchObject({
      code: 'INVALID_STATE',
      retryable: true,
    })
    await expect(asked({ ...testWallet(segwit).key(7) })).rejects.toMatchObject({ code: 'INVALID_STATE' })
    await expect(asked({ publicKey: testWallet(segwit).key(7).publicKey })).rejects.toMatchObject({
      code: 'INVALID_STATE',
    })
  })

  test('gives no change to an address whose key is another', async () => {
    const { outputs, source } = fundedWallet(segwit, [100_000n])
    const change = { ...testWallet(segwit).key(0, 1), address: stranger(segwit, 0) }
    const asked = requestOn(segwit, outputs, [50_000n], { change })
    await expect(buildPayout(asked, segwit, source)).rejects.toMatchObject({ code: 'INVALID_STATE' })
  })

  test('pays Taproot and script addresses too', async () => {
    const { wallet, outputs, source } = fundedWallet(segwit, [100_000n])
    const request: UtxoBuildRequest = {
      ...requestOn(segwit, outputs, []),
      outputs: [
        { address: 'bcrt1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqc8gma6', amount: 20_000n },
        { address: '2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc', amount: 20_000n },
      ],
    }
    const result = built(await buildPayout(request, segwit, source))
    const raw = wallet.sign(result.payload.psbt)
    expect(verifySigned(result.payload, raw).fee).toBe(result.fee)
    expect(Psbt.fromBase64(result.payload.psbt).txOutputs[0]?.script[0]).toBe(0x51)
  })
})

describe('coins of fat parents', () => {
  const FAT = 90_000
  /** Characters of base64. */
  const MOST = MAX_PAYLOAD_BYTES

  /** Many outputs of one transaction, as an attacker pays them, and coins of their own transactions. */
  function wallet(dust: { count: number; amount: bigint }, coins: readonly bigint[]) {
    const { outputs, source, wallet: keys } = fundedWallet(segwit, coins)
    const key = keys.key(0)
    const script = payments.p2wpkh({ address: key.address, network: bitcoinjsNetwork(segwit) }).output ?? []
    const transaction = new Transaction()
    transaction.addInput(Buffer.alloc(32, 99), 0)
    for (let vout = 0; vout < dust.count; vout++) transaction.addOutput(Buffer.from(script), dust.amount)
    // As many outputs as were not ours.
    const rest = FAT - transaction.byteLength()
    if (rest > 0) transaction.addOutput(Buffer.concat([Buffer.from('6a', 'hex'), Buffer.alloc(rest)]), 0n)
    const parsed = parseTransaction(Buffer.from(transaction.toBuffer()))
    expect(parsed.stripped.length).toBeGreaterThan(85_000)
    const fat = Array.from(
      { length: dust.count },
      (_, vout): SpendableOutput => ({ ...key, txid: parsed.txid, vout, amount: dust.amount }),
    )
    let fetched = 0
    return {
      candidates: [...outputs, ...fat].sort((a, b) => Number(b.amount - a.amount)),
      fatTxid: parsed.txid,
      fetched: () => fetched,
      source: {
        fetch: async (txids: Iterable<string>) => {
          const wanted = [...new Set(txids)]
          fetched += wanted.length
          const found = new Map(await source.fetch(wanted))
          if (wanted.includes(parsed.txid)) found.set(parsed.txid, parsed)
          return found
        },
      },
    }
  }

  test('pay only if no others do, also if they are many and the fee is low', async () => {
    const { candidates, source, fatTxid } = wallet(
      { count: 2_900, amount: 3_000n },
      Array.from({ length: 30 }, (_, each) => 100_000n + BigInt(each)),
    )
    for (const feePayer of ['sender', 'recipient'] as const) {
      for (const amount of [50_000n, 500_000n, 2_500_000n]) {
        const fat = new Map<string, number>()
        for (let payment = 0; payment < 3; payment++) {
          const request = requestOn(segwit, candidates, [amount + BigInt(payment)], { feeRate: 1, feePayer })
          const result = built(await buildPayout(request, segwit, source, fat))
          expect(result.payload.psbt.length).toBeLessThan(1_100_000)
          expect(result.inputs.filter((coin) => coin.txid === fatTxid).length).toBeLessThan(9)
        }
      }
    }
  })

  test('pay together with the others if those do not suffice, as many as a signer accepts', async () => {
    const { candidates, source } = wallet({ count: 2_000, amount: 100_000n }, [500_000n, 600_000n])
    const request = requestOn(segwit, candidates, [3_500_000n], { feeRate: 1 })
    const result = built(await buildPayout(request, segwit, source))
    expect(result.inputs.length).toBeGreaterThan(20)
    expect(result.payload.psbt.length).toBeLessThan(MOST)
  })

  test('are reported as too many if one transaction and its payload cannot hold enough of them', async () => {
    const { candidates, source } = wallet({ count: 2_000, amount: 100_000n }, [500_000n])
    const asked = (amount: bigint) =>
      buildPayout(requestOn(segwit, candidates, [amount], { feeRate: 1 }), segwit, source)
    expect(await asked(15_000_000n)).toMatchObject({ kind: 'too_many_inputs' })
    expect(await asked(205_000_000n)).toMatchObject({ kind: 'insufficient_funds' })
  })
})
