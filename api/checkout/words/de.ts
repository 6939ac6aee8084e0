/** Texts of the checkout page in German. */

import type { CheckoutWords } from './en.js'

export const de: CheckoutWords = {
  pending: '{amount} zahlen',
  pending_text: 'Senden Sie genau diesen Betrag an die Adresse unten.',
  open: 'Beliebigen Betrag in {coin} zahlen',
  open_text: 'Senden Sie so viel Sie möchten an die Adresse unten.',
  partial: 'Noch {amount} zahlen',
  partial_text: '{received} von {total} sind angekommen. Senden Sie den Rest an dieselbe Adresse.',
  paid: 'Ihre Zahlung wurde erkannt',
  paid_text:
    '{received} sind unterwegs und warten auf Bestätigungen im Netzwerk {network}. Zahlen Sie nicht noch einmal; Sie können diese Seite schließen.',
  confirmed: 'Zahlung abgeschlossen',
  confirmed_text: '{received} sind angekommen. Vielen Dank.',
  late: 'Ihre Zahlung kam zu spät',
  late_text:
    '{received} kamen an, als diese Zahlung schon beendet war. Zahlen Sie nicht noch einmal. Der Shop wurde benachrichtigt; nennen Sie ihm die Zahlungsnummer unten.',
  expired: 'Die Zeit für diese Zahlung ist abgelaufen',
  expired_text:
    'Senden Sie nichts mehr an ihre Adresse. Wenn Sie schon gezahlt haben, zahlen Sie nicht noch einmal: Nennen Sie dem Shop die Zahlungsnummer unten.',
  expired_part_text:
    '{received} von {total} sind angekommen, das ist zu wenig. Senden Sie den Rest nicht und zahlen Sie nicht noch einmal: Nennen Sie dem Shop die Zahlungsnummer unten.',
  cancelled: 'Diese Zahlung wurde abgebrochen',
  cancelled_text:
    'Zahlen Sie nicht. Wenn Sie schon gezahlt haben, zahlen Sie nicht noch einmal: Nennen Sie dem Shop die Zahlungsnummer unten.',
  only: 'Senden Sie nur {coin} im Netzwerk {network}. Eine andere Münze oder {coin} in einem anderen Netzwerk kann verloren gehen.',
  amount: 'Betrag',
  coin: 'Münze',
  network: 'Netzwerk',
  address: 'Adresse',
  order: 'Bestellung',
  scan: 'Scannen Sie den Code mit Ihrer Wallet oder kopieren Sie Betrag und Adresse.',
  scan_open: 'Scannen Sie den Code mit Ihrer Wallet oder kopieren Sie die Adresse.',
  qr: 'QR-Code dieser Zahlung für eine Wallet',
  open_wallet: 'In einer Wallet öffnen',
  copy_amount: 'Betrag kopieren',
  copy_address: 'Adresse kopieren',
  copied: 'Kopiert',
  left: 'Verbleibende Zeit: {duration}',
  until: 'bis {time}',
  confirmations: '{done} von {needed} Bestätigungen',
  back: 'Zurück zum Shop',
  help: 'Brauchen Sie Hilfe? Nennen Sie dem Shop diese Zahlungsnummer:',
  check: 'Erneut prüfen',
  check_text: 'Laden Sie diese Seite neu, um zu sehen, ob Ihre Zahlung erkannt wurde.',
  reissued: 'Der Shop hat diese Zahlung neu ausgestellt. Verwenden Sie den neuesten Link des Shops.',
  wrong_coin:
    'An dieser Adresse kam eine andere Münze an. Sie zählt nicht für diese Zahlung. Nennen Sie dem Shop die Zahlungsnummer unten.',
  overpaid: 'Es kam mehr als der Betrag an. Fragen Sie den Shop nach der Differenz.',
  reorged:
    'Das Netzwerk hat eine angekommene Zahlung zurückgenommen. Meist kommt sie von selbst wieder an; warten Sie, bevor Sie noch einmal zahlen.',
}
