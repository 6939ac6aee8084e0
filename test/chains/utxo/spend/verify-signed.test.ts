/** Verifies that signed transactions of the Bitcoin family are the requested ones. */

import { Psbt, payments, Transaction } from 'bitcoinjs-lib'
import { describe, expect, test } from 'vitest'
import { parseTransaction } from '../../../../chains/utxo/parse/parse-transaction.js'
import { buildPayout } from '../../../../chains/utxo/spend/build-payout.js'
import { isInputSigned } from '../../../../chains/utxo/spend/is-input-signed.js'
import { verifySigned } from '../../../../chains/utxo/spend/verify-signed.js'
import type { UtxoPayload } from '../../../../domain/signing/signer-protocol.js'
import { legacyNetwork, testNetwork } from '../test-network.js'
import { fundedWallet, testWallet } from '../test-wallet.js'

async function signedPayout(network = testNetwork()) {
  const { wallet, outputs, source } = fundedWallet(network, [300_000n, 200_000n])
  const result = await buildPayout(
    {
      outputs: [
        { address: testWallet(network, 'another owner').key(0).address, amount: 350_000n },
        { address: testWallet(network, 'another owner').key(1).address, amount: 100_000n },
      ],
      change: wallet.key(0, 1),
      candidates: outputs,
      required: [],
      feeRate: 2,
      feeLimit: 10_000n,
      feePayer: 'sender',
    },
    network,
    source,
  )
  if (result.kind !== 'built') throw new Error(result.kind)
  return { payload: result.payload, raw: wallet.sign(result.payload.psbt), fee: result.fee, wallet }
}

const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

describe('verifySigned', () => {
  test('accepts what the signer signed', async () => {
    const { payload, raw, fee } = await signedPayout()
    expect(verifySigned(payload, raw)).toEqual({ txid: Transaction.fromHex(raw).getId(), fee })
  })

  test.each<[string, (transaction: Transaction) => void]>([
    [
      'another amount',
      (tx) => {
        tx.outs[0]!.value += 1n
      },
    ],
    [
      'another recipient',
      (tx) => {
        tx.outs[0]!.script[5]! ^= 1
      },
    ],
    [
      'outputs in another order',
      (tx) => {
        tx.outs.reverse()
      },
    ],
    [
      'one output more',
      (tx) => {
        tx.addOutput(tx.outs[0]!.script, 1n)
      },
    ],
    [
      'one output less',
      (tx) => {
        tx.outs.pop()
      },
    ],
    [
      'one input more',
      (tx) => {
        tx.addInput(Buffer.alloc(32, 1), 0)
      },
    ],
    [
      'one input less',
      (tx) => {
        tx.ins.pop()
      },
    ],
    [
      'another outpoint',
      (tx) => {
        tx.ins[1]!.index += 1
      },
    ],
    [
      'another parent',
      (tx) => {
        tx.ins[0]!.hash[3]! ^= 1
      },
    ],
    [
      'another sequence',
      (tx) => {
        tx.ins[0]!.sequence = 0xffffffff
      },
    ],
    [
      'another version',
      (tx) => {
        tx.version = 1
      },
    ],
    [
      'a locktime',
      (tx) => {
        tx.locktime = 500
      },
    ],
    ['no signature', (tx) => tx.setWitness(0, [])],
    [
      'a signature too many',
      (tx) => {
        tx.ins[0]!.witness.push(Buffer.alloc(1))
      },
    ],
    [
      'signatures of each other’s inputs',
      (tx) => {
        swapWitnesses(tx)
      },
    ],
    [
      'a changed signature',
      (tx) => {
        tx.ins[1]!.witness[0]![20]! ^= 1
      },
    ],
    [
      'a changed key',
      (tx) => {
        tx.ins[1]!.witness[1]![20]! ^= 1
      },
    ],
    [
      'another sighash byte',
      (tx) => {
        tx.ins[0]!.witness[0]!.fill(2, -1)
      },
    ],
    ['a script beside the witness', (tx) => tx.setInputScript(0, Buffer.from([0x51]))],
    ['a high S', (tx) => tx.setWitness(0, [highS(tx.ins[0]!.witness[0]!), tx.ins[0]!.witness[1]!])],
  ])('refuses %s', async (_what, tamper) => {
    const { payload, raw } = await signedPayout()
    const transaction = Transaction.fromHex(raw)
    tamper(transaction)
    expect(() => verifySigned(payload, transaction.toHex())).toThrow(
      expect.objectContaining({ code: 'VALIDATION_FAILED' }),
    )
  })

  test.each([
    ['nothing', () => ''],
    ['words', () => 'not hex'],
    ['upper case', (raw: string) => raw.toUpperCase()],
    ['half a transaction', (raw: string) => raw.slice(0, 100)],
    ['a byte behind it', (raw: string) => `${raw}00`],
  ])('refuses %s', async (_what, spoil) => {
    const { payload, raw } = await signedPayout()
    expect(() => verifySigned(payload, spoil(raw))).toThrow(
      expect.objectContaining({ code: 'VALIDATION_FAILED' }),
    )
  })

  test('refuses a signature that leaves outputs open', async () => {
    const { payload, wallet } = await signedPayout()
    for (const sighash of [
      Transaction.SIGHASH_NONE,
      Transaction.SIGHASH_SINGLE,
      Transaction.SIGHASH_ALL | Transaction.SIGHASH_ANYONECANPAY,
    ]) {
      const raw = wallet.sign(payload.psbt, sighash)
      expect(() => verifySigned(payload, raw)).toThrow(/not validly signed/)
    }
  })

  test.each<[string, RegExp, (draft: Draft) => void]>([
    [
      'another amount',
      /An amount differs/,
      (draft) => {
        draft.outputs[0]!.value -= 1n
      },
    ],
    [
      'another recipient',
      /A recipient differs/,
      (draft) => {
        draft.outputs[0]!.script[5]! ^= 1
      },
    ],
    [
      'outputs in another order',
      /differs/,
      (draft) => {
        draft.outputs.reverse()
      },
    ],
    [
      'one output less',
      /number of outputs/,
      (draft) => {
        draft.outputs.pop()
      },
    ],
    [
      'one output more',
      /number of outputs/,
      (draft) => {
        draft.outputs.push({ script: Buffer.from([0x6a]), value: 0n })
      },
    ],
    [
      'inputs in another order',
      /spends another output/,
      (draft) => {
        draft.inputs.reverse()
      },
    ],
    [
      'one input less',
      /number of inputs/,
      (draft) => {
        draft.inputs.pop()
        draft.outputs[0]!.value = 10_000n
      },
    ],
    [
      'another sequence',
      /sequence/,
      (draft) => {
        draft.inputs[1]!.sequence = 0xffffffff
      },
    ],
    [
      'another version',
      /version/,
      (draft) => {
        draft.version = 1
      },
    ],
    [
      'a locktime',
      /locktime/,
      (draft) => {
        draft.locktime = 7
      },
    ],
  ])('refuses a validly signed transaction with %s', async (_what, message, alter) => {
    const { payload, wallet } = await signedPayout()
    const raw = wallet.sign(redraft(payload.psbt, alter))
    expect(() => verifySigned(payload, raw)).toThrow(message)
  })

  test('computes the fee from the parents, so that a payload without them is refused', async () => {
    const { payload, raw } = await signedPayout()
    const psbt = Psbt.fromBase64(payload.psbt)
    for (const input of psbt.data.inputs) delete input.nonWitnessUtxo
    expect(() => verifySigned({ ...payload, psbt: psbt.toBase64() }, raw)).toThrow(/lacks a parent/)
  })

  test('refuses a parent that is not the spent one', async () => {
    // Without SegWit a signature does not cover amounts, so that only the parent's hash speaks for them.
    const { payload, raw } = await signedPayout(legacyNetwork())
    const psbt = Psbt.fromBase64(payload.psbt)
    const [input] = psbt.data.inputs
    const parent = Transaction.fromBuffer(input!.nonWitnessUtxo!)
    for (const output of parent.outs) output.value += 1_000_000n
    delete input!.nonWitnessUtxo
    input!.nonWitnessUtxo = parent.toBuffer()
    expect(() => verifySigned({ ...payload, psbt: psbt.toBase64() }, raw)).toThrow(/not the one spent/)
  })

  test('checks P2PKH signatures if the network has no SegWit', async () => {
    const { payload, raw, fee } = await signedPayout(legacyNetwork())
    expect(verifySigned(payload, raw)).toEqual({ txid: Transaction.fromHex(raw).getId(), fee })
    const tampered: ((transaction: Transaction) => void)[] = [
      (tx) => {
        tx.ins[0]!.script[10]! ^= 1
      },
      (tx) => tx.setInputScript(0, Buffer.concat([Buffer.from([0x51]), tx.ins[0]!.script])),
      (tx) => tx.setInputScript(0, tx.ins[1]!.script),
      (tx) => tx.setInputScript(0, new Uint8Array()),
      // The same pushes in a longer form have another txid.
      (tx) => tx.setInputScript(0, Buffer.concat([Buffer.from([0x4c]), tx.ins[0]!.script])),
    ]
    for (const tamper of tampered) {
      const transaction = Transaction.fromHex(raw)
      tamper(transaction)
      expect(() => verifySigned(payload, transaction.toHex())).toThrow(/not validly signed/)
    }
  })

  test.each([
    [
      'a network transaction',
      'AgAAAAEmgXE3Ht/yhek3re6ks3t4AAwFZsuzrWRkFxPKQhcb9gAAAABqRzBEAiBwsiRRI+a/R01gxbUMBD1MaRpdJDXwmjSnZiqdwlF5CgIgATKcqdrPKAvfMHQOwDkEIkIsgctFg5RXrrdvwS7dlbMBIQJlfRGNM1e44PTCzUbbezn22cONmnCry5st5dyNv+TOMf7///8C09/1BQAAAAAZdqkU0MWZA8W6woaHYOkP1SGkZlqnZSCIrADh9QUAAAAAF6kUNUXm4zuDLEcFDyTT7rk8nAOUi8eHsy4TAA==',
    ],
    [
      'a PSBT without outputs',
      Buffer.from(
        '70736274ff0100750200000001268171371edff285e937adeea4b37b78000c0566cbb3ad64641713ca42171bf60000000000feffffff02d3dff505000000001976a914d0c59903c5bac2868760e90fd521a4665aa7652088ac00e1f5050000000017a9143545e6e33b832c47050f24d3eeb93c9c03948bc787b32e1300000100fda5010100000000010289a3c71eab4d20e0371bbba4cc698fa295c9463afa2e397f8533ccb62f9567e50100000017160014be18d152a9b012039daf3da7de4f53349eecb985ffffffff86f8aa43a71dff1448893a530a7237ef6b4608bbb2dd2d0171e63aec6a4890b40100000017160014fe3e9ef1a745e974d902c4355943abcb34bd5353ffffffff0200c2eb0b000000001976a91485cff1097fd9e008bb34af709c62197b38978a4888ac72fef84e2c00000017a914339725ba21efd62ac753a9bcd067d6c7a6a39d05870247304402202712be22e0270f394f568311dc7ca9a68970b8025fdd3b240229f07f8a5f3a240220018b38d7dcd314e734c9276bd6fb40f673325bc4baa144c800d2f2f02db2765c012103d2e15674941bad4a996372cb87e1856d3652606d98562fe39c5e9e7e413f210502483045022100d12b852d85dcd961d2f5f4ab660654df6eedcc794c0c33ce5cc309ffb5fce58d022067338a8e0e1725c197fb1a88af59f51e44e4255b20167c8684031c05d1f2592a01210223b72beef0965d10be0778efecd61fcac6f79a4ea169393380734464f84f2ab30000000000',
        'hex',
      ).toString('base64'),
    ],
  ])('refuses what BIP-174 calls invalid: %s', async (_case, psbt) => {
    const { raw } = await signedPayout()
    const payload: UtxoPayload = { family: 'utxo', network: 'bitcoin', psbt }
    expect(() => verifySigned(payload, raw)).toThrow()
  })
})

describe('isInputSigned', () => {
  // BIP-143, "Native P2WPKH".
  const raw =
    '01000000000102fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f00000000494830450221008b9d1dc26ba6a9cb62127b02742fa9d754cd3bebf337f7a55d114c8e5cdd30be022040529b194ba3f9281a99f2b1c0a19c0489bc22ede944ccf4ecbab4cc618ef3ed01eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac000247304402203609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a0220573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee0121025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee635711000000'
  const parsed = parseTransaction(Buffer.from(raw, 'hex'))
  const transaction = Transaction.fromHex(raw)
  const script = Buffer.from('00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1', 'hex')
  const check = (index: number, prevout: { amount: bigint; script: Buffer }) =>
    isInputSigned(transaction, index, parsed.inputs[index]!, prevout)

  test('verifies the native P2WPKH signature of BIP-143', () => {
    expect(check(1, { amount: 600_000_000n, script })).toBe(true)
  })

  test('refuses one if the amount or the script differs', () => {
    expect(check(1, { amount: 600_000_001n, script })).toBe(false)
    const other = Buffer.from(payments.p2wpkh({ hash: Buffer.alloc(20, 1) }).output ?? [])
    expect(check(1, { amount: 600_000_000n, script: other })).toBe(false)
  })

  test('knows no other kind of input', () => {
    const p2pk = Buffer.from('2103c9f4836b9a4f77fc0d81f7bcb01b7f1b35916864b9476c241ce9fc198bd25432ac', 'hex')
    expect(check(0, { amount: 625_000_000n, script: p2pk })).toBe(false)
  })
})

interface Draft {
  version: number
  locktime: number
  inputs: Parameters<Psbt['addInput']>[0][]
  outputs: { script: Uint8Array; value: bigint }[]
}

/** Returns the same transaction with a change, as a signer might make it. */
function redraft(base64: string, alter: (draft: Draft) => void): string {
  const psbt = Psbt.fromBase64(base64)
  const draft: Draft = {
    version: psbt.version,
    locktime: psbt.locktime,
    inputs: psbt.txInputs.map((input, index) => ({ ...input, ...psbt.data.inputs[index] })),
    outputs: psbt.txOutputs.map(({ script, value }) => ({ script: Buffer.from(script), value })),
  }
  alter(draft)
  const altered = new Psbt()
  altered.setVersion(draft.version)
  altered.setLocktime(draft.locktime)
  altered.addInputs(draft.inputs)
  altered.addOutputs(draft.outputs)
  return altered.toBase64()
}

function swapWitnesses(transaction: Transaction): void {
  const [first, second] = transaction.ins.map((input) => input.witness)
  transaction.setWitness(0, second!)
  transaction.setWitness(1, first!)
}

/** The other, equally valid form of an ECDSA signature (BIP-146), which would change the wtxid. */
function highS(signature: Uint8Array): Uint8Array {
  const der = Buffer.from(signature)
  const rLength = der[3]!
  const r = der.subarray(4, 4 + rLength)
  const s = BigInt(`0x${der.subarray(6 + rLength, -1).toString('hex')}`)
  expect(s).toBeLessThanOrEqual(HALF_ORDER)
  const high = Buffer.from(`00${(ORDER - s).toString(16).padStart(64, '0')}`, 'hex')
  const body = Buffer.concat([Buffer.from([0x02, rLength]), r, Buffer.from([0x02, high.length]), high])
  return Buffer.concat([Buffer.from([0x30, body.length]), body, Buffer.from([0x01])])
}
