"""The page for people that lies in every bundle, in both languages."""

README_TEXT = """\
A goods receipt and what proves it
==================================

receipt.json   the receipt: head, lines, what each value rests on, decisions, stock moves, calibrations
frames/        the box's journal, as the box signed it: every weight, scan and step that the receipt rests on
chain/         the headers of the journal's batches from its first entry on: nothing was left out in between
keys/          public keys whose signatures are in here. Do not trust these: take the key from the box's owner
certificates/  the box's certificates, where they were added
audit.json     who did what to the receipt, linked as the log has it
blobs/         pictures, each under its SHA-256
manifest.json  every file with its SHA-256

To check it:   tallybox verify bundle FILE --key box.pem
(box.pem: the box's public key or certificate, or the certificate of the authority that made the box's.)

What needs no trust in whoever made this file: that the box signed these weights, scans and steps, and that the receipt's
lines say what they say. What is the word of whoever made it: stock moves, decisions at a desk, calibrations, names.
The manual (docs/EVIDENCE.md) says how to check all of it by hand.


קבלת טובין ומה שמוכיח אותה
==========================

receipt.json   הקבלה: כותרת, שורות, על מה נשען כל ערך, החלטות, תנועות מלאי, כיולים
frames/        היומן של הקופסה, כפי שהקופסה חתמה עליו: כל משקל, סריקה וצעד שהקבלה נשענת עליהם
chain/         כותרות האצוות של היומן מן הרישום הראשון: דבר לא הושמט ביניהן
keys/          מפתחות ציבוריים שחתימותיהם כאן. אין לסמוך עליהם: יש לקבל את המפתח מבעל הקופסה
certificates/  תעודות הקופסה, אם צורפו
audit.json     מי עשה מה בקבלה, בשרשרת של יומן הביקורת
blobs/         תמונות, כל אחת לפי SHA-256 שלה
manifest.json  כל קובץ עם SHA-256 שלו

לבדיקה:        tallybox verify bundle FILE --key box.pem
(box.pem: המפתח הציבורי או התעודה של הקופסה, או תעודת הרשות שהנפיקה אותה.)

מה שאינו דורש אמון במי שהכין את הקובץ: שהקופסה חתמה על המשקלים, הסריקות והצעדים האלה, ושורות הקבלה אומרות את מה שהם אומרים.
מה שהוא דברו של מי שהכין אותו: תנועות מלאי, החלטות שהתקבלו במשרד, כיולים, שמות.
"""
