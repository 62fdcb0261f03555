SELECT refused('flow');
