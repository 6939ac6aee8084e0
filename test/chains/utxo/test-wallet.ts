/** Creates a wallet of the Bitcoin family that signs for tests. */

import { BIP32Factory } from 'bip32'
import { Psbt, payments, Transaction } from 'bitcoinjs-lib'
import * as ecc from 'tiny-secp256k1'
import type { SpendableOutput } from '../../../chains/adapter.js'
import { bitcoinjsNetwork } from '../../../chains/utxo/bitcoinjs-network.js'
import type { TransactionSource } from '../../../chains/utxo/chain/transaction-source.js'
import type { ParsedTransaction } from '../../../chains/utxo/parse/parse-transaction.js'
import { parseTransaction } from '../../../chains/utxo/parse/parse-transaction.js'
import type { UtxoNetwork } from '../../../domain/chain/network.js'

export type OwnKey = Omit<SpendableOutput, 'txid' | 'vout' | 'amount'>

export interface TestWallet {
  /** The key and address at `m/84'/1'/0'/<branch>/<index>`. */
  key(index: number, branch?: 0 | 1): OwnKey
  /** Signs every input of a PSBT by its BIP-32 origin. @returns The raw transaction in hex. */
  sign(psbt: string, sighash?: number): string
}

/** Derives addresses as the product does and signs with bitcoinjs-lib, as a customer's signer would. */
export function testWallet(network: UtxoNetwork, seed = 'keyturn test wallet'): TestWallet {
  const parameters = bitcoinjsNetwork(network)
  const root = BIP32Factory(ecc).fromSeed(Buffer.from(seed.padEnd(32, '.')), parameters)
  const payment = network.script === 'p2wpkh' ? payments.p2wpkh : payments.p2pkh
  return {
    key(index, branch = 0) {
      const path = `m/84'/1'/0'/${branch}/${index}`
      const { publicKey } = root.derivePath(path)
      return {
        address: payment({ pubkey: publicKey, network: parameters }).address ?? '',
        path,
        publicKey: Buffer.from(publicKey).toString('hex'),
        masterFingerprint: Buffer.from(root.fingerprint).toString('hex'),
      }
    },
    sign(base64, sighash = Transaction.SIGHASH_ALL) {
      const psbt = Psbt.fromBase64(base64, { network: parameters })
      for (let i = 0; i < psbt.inputCount; i++) {
        if (sighash !== Transaction.SIGHASH_ALL) psbt.updateInput(i, { sighashType: sighash })
        psbt.signInputHD(i, root, [sighash])
      }
      return psbt.finalizeAllInputs().extractTransaction(true).toHex()
    },
  }
}

/** Outputs of the wallet in transactions that no chain has, and the source that serves those transactions. */
export function fundedWallet(network: UtxoNetwork, amounts: readonly bigint[], wallet = testWallet(network)) {
  const transactions = new Map<string, ParsedTransaction>()
  const outputs = amounts.map((amount, index): SpendableOutput => {
    const key = wallet.key(index)
    const payment = (network.script === 'p2wpkh' ? payments.p2wpkh : payments.p2pkh)({
      address: key.address,
      network: bitcoinjsNetwork(network),
    })
    const transaction = new Transaction()
    transaction.addInput(Buffer.alloc(32, index + 1), index)
    // Every other parent has a witness and another output before ours.
    const vout = index % 2
    if (vout === 1) {
      transaction.setWitness(0, [Buffer.alloc(71, 7), Buffer.alloc(33, 2)])
      transaction.addOutput(Buffer.from('6a0161', 'hex'), 0n)
    }
    transaction.addOutput(Buffer.from(payment.output ?? []), amount)
    const parsed = parseTransaction(Buffer.from(transaction.toBuffer()))
    transactions.set(parsed.txid, parsed)
    return { ...key, txid: parsed.txid, vout, amount }
  })
  const source: TransactionSource = {
    fetch: async (txids) => {
      const found = new Map<string, ParsedTransaction>()
      for (const txid of txids) {
        const transaction = transactions.get(txid)
        if (transaction) found.set(txid, transaction)
      }
      return found
    },
  }
  return { wallet, outputs, source }
}
