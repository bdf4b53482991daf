"""The tutorial's form: what is filled in goes out by email."""

import smtplib

WEBMASTER = "webmaster"


def index(req):
    return """\
<html>
Please provide feedback below:
<p>
<form action="form/email" method="POST">
Name: <input type="text" name="name"><br>
Email: <input type="text" name="email"><br>
Comment: <textarea name="comment" rows=4 cols=20></textarea><br>
<input type="submit">
</form>
</html>
"""


def email(req, name, email, comment):
    # make sure the user provided all the parameters
    if not (name and email and comment):
        return "A required parameter is missing, please go back and correct the error"

    # create the message text
    msg = """\
From: %s
Subject: feedback
To: %s

I have the following comment:

%s

Thank You,

%s

""" % (email, WEBMASTER, comment, name)

    # send it out
    conn = smtplib.SMTP("127.0.0.1", int(req.get_options()["smtp_port"]), local_hostname="localhost")
    conn.sendmail(email, [WEBMASTER], msg)
    conn.quit()

    # provide feedback to the user
    return """\
<html>
Dear %s,<br>
Thank You for your kind comments, we
will get back to you shortly.
</html>""" % name
