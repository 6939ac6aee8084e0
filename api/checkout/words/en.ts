/** Texts of the checkout page in English. The other languages have the same keys and the same `{values}`. */

export const en = {
  pending: 'Pay {amount}',
  pending_text: 'Send exactly this amount to the address below.',
  open: 'Pay any amount of {coin}',
  open_text: 'Send as much as you want to the address below.',
  partial: 'Pay the remaining {amount}',
  partial_text: '{received} of {total} has arrived. Send the rest to the same address.',
  paid: 'Your payment was seen',
  paid_text:
    '{received} is on its way and waits for confirmations by the {network} network. You need not pay again, and you can close this page.',
  confirmed: 'Payment complete',
  confirmed_text: '{received} has arrived. Thank you.',
  late: 'Your payment arrived too late',
  late_text:
    '{received} arrived after this payment had ended. Do not pay again. The shop has been notified; give it the payment id below.',
  expired: 'The time for this payment is over',
  expired_text:
    'Do not send anything to its address. If you have paid already, do not pay again: give the shop the payment id below.',
  expired_part_text:
    '{received} of {total} has arrived, which is too little. Do not send the rest and do not pay again: give the shop the payment id below.',
  cancelled: 'This payment was cancelled',
  cancelled_text:
    'Do not pay it. If you have paid already, do not pay again: give the shop the payment id below.',
  only: 'Send only {coin} on the {network} network. Another coin, or {coin} on another network, may be lost.',
  amount: 'Amount',
  coin: 'Coin',
  network: 'Network',
  address: 'Address',
  order: 'Order',
  scan: 'Scan the code with your wallet, or copy the amount and the address.',
  scan_open: 'Scan the code with your wallet, or copy the address.',
  qr: 'QR code of this payment, for a wallet',
  open_wallet: 'Open in a wallet',
  copy_amount: 'Copy the amount',
  copy_address: 'Copy the address',
  copied: 'Copied',
  left: 'Time left: {duration}',
  until: 'until {time}',
  confirmations: '{done} of {needed} confirmations',
  back: 'Back to the shop',
  help: 'Do you need help? Give the shop this payment id:',
  check: 'Check again',
  check_text: 'Load this page again to see whether your payment was seen.',
  reissued: 'The shop has made another attempt for this payment. Use the newest link of the shop.',
  wrong_coin:
    'Another coin arrived at this address. It does not count for this payment. Give the shop the payment id below.',
  overpaid: 'More than the amount has arrived. Ask the shop about the difference.',
  reorged:
    'The network took a payment back that had arrived. It usually arrives again by itself, so wait before you pay again.',
}

/** Texts of one language. A missing text does not compile, and a test compares the `{values}`. */
export type CheckoutWords = Readonly<Record<keyof typeof en, string>>
